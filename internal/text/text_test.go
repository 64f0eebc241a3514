package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/text"
)

func TestName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  Ahoj světe ": "Ahoj světe", "12345678": "12345678", "": "", " \t": "", "a\x00b": "", "a\nb": "", "\xff": "",
		"a\x1b[31m": "", "123456789012": "",
	} {
		got, err := text.Name("name", "the thing", in, 11)
		if got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
		if f, ok := err.(*fault.Error); want == "" && (!ok || f.Code != fault.BadUserInput || f.Field != "name") { //nolint:errorlint // the very type is meant
			t.Errorf("Name(%q): %v, want BAD_USER_INPUT of name", in, err)
		}
	}
}

func TestLineAndBlock(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]bool{
		"": {true, true}, "a b": {true, true}, "a\nb\tc": {false, true}, "a\x00": {false, false}, "\xc3": {false, false},
		"123456789": {false, false},
	} {
		line, block := text.Line("f", &in, 8) == nil, text.Block("f", &in, 8) == nil
		if line != want[0] || block != want[1] {
			t.Errorf("%q: Line %t, Block %t, want %v", in, line, block, want)
		}
	}
	if text.Line("f", nil, 8) != nil || text.Block("f", nil, 8) != nil {
		t.Error("nothing is refused")
	}
}

func FuzzClean(f *testing.F) {
	f.Add("plain", 3)
	f.Add("\x00\x00\x00", 4)
	f.Add("\xff\xfe€", 5)
	f.Fuzz(func(t *testing.T, s string, longest int) {
		longest = max(0, longest%1000)
		got := text.Clean(s, longest)
		if len(got) > longest || !utf8.ValidString(got) || strings.Contains(got, "\x00") {
			t.Errorf("Clean(%q, %d) = %q", s, longest, got)
		}
		if len(s) <= longest && utf8.ValidString(s) && !strings.Contains(s, "\x00") && got != s {
			t.Errorf("Clean(%q, %d) = %q, want it unchanged", s, longest, got)
		}
	})
}
