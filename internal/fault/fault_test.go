package fault_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// TestCodesAreDocumented holds the table of docs/errors.md to the codes that there are.
func TestCodesAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(source, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Code" {
				literal, _ := spec.Values[0].(*ast.BasicLit)
				codes = append(codes, strings.Trim(literal.Value, `"`))
			}
		}
		return true
	})
	document, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(string(document), -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(codes)
	slices.Sort(documented)
	if diff := cmp.Diff(codes, documented); diff != "" {
		t.Errorf("docs/errors.md (-code +documented):\n%s", diff)
	}
}

func TestIsComparesCodes(t *testing.T) {
	t.Parallel()
	err := error(fault.New(fault.Conflict, "The server is %s.", "running").Wrap(errors.New("cause")))
	if !errors.Is(err, fault.New(fault.Conflict, "")) || errors.Is(err, fault.New(fault.NotFound, "")) {
		t.Error("errors.Is does not compare the codes")
	}
	if fault.CodeOf(err) != fault.Conflict || fault.CodeOf(errors.New("x")) != fault.Internal || fault.CodeOf(nil) != "" {
		t.Error("CodeOf is wrong")
	}
}
