// Package compile turns RE2 patterns into programs for package pattern.
package compile

import (
	"fmt"
	"regexp/syntax"
	"unicode"

	"github.com/catalyst-panel/catalyst/agent/pattern"
)

// maxInsts is the size of the largest program: every byte of output may cost as many steps.
const maxInsts = 1000

// Compile compiles a pattern in the syntax of Go's regexp, or says for people what is wrong with it.
func Compile(expr string) (pattern.Program, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return pattern.Program{}, fmt.Errorf("the pattern %q is not valid: %w", expr, err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return pattern.Program{}, fmt.Errorf("the pattern %q is not valid: %w", expr, err)
	}
	if len(prog.Inst) > maxInsts {
		return pattern.Program{}, fmt.Errorf("the pattern %.80q is too large: make it shorter, or its repetitions smaller", expr)
	}
	p := pattern.Program{Start: uint32(prog.Start), Insts: make([]pattern.Inst, len(prog.Inst))}
	for i := range prog.Inst {
		p.Insts[i] = translate(&prog.Inst[i])
	}
	return p, nil
}

func translate(in *syntax.Inst) pattern.Inst {
	switch in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		return pattern.Inst{Op: pattern.Split, Out: in.Out, Arg: in.Arg}
	case syntax.InstCapture, syntax.InstNop:
		return pattern.Inst{Op: pattern.Jump, Out: in.Out}
	case syntax.InstEmptyWidth:
		return pattern.Inst{Op: pattern.Empty, Out: in.Out, Arg: in.Arg}
	case syntax.InstMatch:
		return pattern.Inst{Op: pattern.Match}
	case syntax.InstRuneAny:
		return pattern.Inst{Op: pattern.Runes, Out: in.Out, Ranges: []rune{0, unicode.MaxRune}}
	case syntax.InstRuneAnyNotNL:
		return pattern.Inst{Op: pattern.Runes, Out: in.Out, Ranges: []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}}
	case syntax.InstRune, syntax.InstRune1:
		return pattern.Inst{Op: pattern.Runes, Out: in.Out, Ranges: ranges(in)}
	case syntax.InstFail:
	}
	return pattern.Inst{Op: pattern.Fail}
}

// ranges lists what an instruction takes; a single character may stand for all its cases.
func ranges(in *syntax.Inst) []rune {
	if len(in.Rune) != 1 {
		return in.Rune
	}
	first := in.Rune[0]
	all := []rune{first, first}
	if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
		for r := unicode.SimpleFold(first); r != first; r = unicode.SimpleFold(r) {
			all = append(all, r, r)
		}
	}
	return all
}
