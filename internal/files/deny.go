package files

import (
	"path"
	"strings"

	ignore "github.com/sabhiram/go-gitignore"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// denial is what a template denies to users: patterns as in .gitignore.
type denial struct {
	patterns []string
	matcher  *ignore.GitIgnore
}

func newDenial(patterns []string) denial {
	if len(patterns) == 0 {
		return denial{}
	}
	return denial{patterns: patterns, matcher: ignore.CompileIgnoreLines(patterns...)}
}

var errDenied = fault.New(fault.Forbidden, "The server's template keeps this file from users: an administrator can change it.")

// check refuses paths that are denied.
func (d denial) check(paths ...string) error {
	if d.matcher == nil {
		return nil
	}
	for _, p := range paths {
		if p = clean(p); p != "" && d.matcher.MatchesPath(p) {
			return errDenied
		}
	}
	return nil
}

// checkWhole refuses paths that are denied, and directories that are named on the way to what is denied: who moves or
// removes one does so with what is in it.
func (d denial) checkWhole(paths ...string) error {
	if err := d.check(paths...); err != nil || d.matcher == nil {
		return err
	}
	for _, p := range paths {
		for _, pattern := range d.patterns {
			if leadsTo(strings.Split(clean(p), "/"), pattern) {
				return errDenied
			}
		}
	}
	return nil
}

// leadsTo reports whether a directory stands on the way that a pattern names.
func leadsTo(dir []string, pattern string) bool {
	pattern = strings.Trim(strings.TrimPrefix(strings.TrimSpace(pattern), "!"), "/")
	steps := strings.Split(pattern, "/")
	if len(steps) <= len(dir) {
		return false
	}
	for i, name := range dir {
		if steps[i] == "**" {
			return true
		}
		if ok, err := path.Match(steps[i], name); err != nil || !ok {
			return false
		}
	}
	return true
}

// clean is a path without slashes at its ends and doubled ones; what is wrong with it otherwise is the node's to say.
func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }
