package earlyexec_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports keeps the list of what is initialised before the dispatch; see the package comment before extending it.
func TestImports(t *testing.T) {
	t.Parallel()
	const module = "github.com/catalyst-panel/catalyst/"
	allowed := []string{
		module + "agent/demo", module + "agent/durable", module + "agent/earlyexec", module + "agent/holder", module + "agent/output",
		module + "agent/pattern", module + "agent/procfs", "golang.org/x/sys/unix",
		"bufio", "bytes", "cmp", "context", "encoding", "encoding/base64", "encoding/binary", "encoding/json", "errors", "fmt",
		"hash", "hash/crc32", "io", "io/fs", "iter", "math", "math/bits", "os", "os/signal", "path", "reflect", "runtime",
		"slices", "sort", "strconv", "strings", "sync", "sync/atomic", "syscall", "time", "unicode", "unicode/utf16",
		"unicode/utf8", "unsafe",
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		if !strings.HasPrefix(pkg, "internal/") && !slices.Contains(allowed, pkg) {
			t.Errorf("the holder imports %s", pkg)
		}
	}
}
