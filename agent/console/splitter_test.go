package console_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/console"
)

func TestSplitter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", console.MaxLine)
	euros := strings.Repeat("€", console.MaxLine/3)
	tests := []struct {
		name   string
		chunks []string
		want   []string
	}{
		{"lines", []string{"a\nb\n"}, []string{"a", "b"}},
		{"empty lines count", []string{"\n\na\n"}, []string{"", "", "a"}},
		{"over chunks", []string{"he", "llo\nwo", "rld\n"}, []string{"hello", "world"}},
		{"carriage return and line feed", []string{"a\r\nb\r", "\nc\n"}, []string{"a", "b", "c"}},
		{"progress is one line", []string{"10%\r20%\r30%\n"}, []string{"10%\r20%\r30%"}},
		{"no line feed at the end", []string{"a\nprompt> "}, []string{"a", "prompt> "}},
		{"full line", []string{long + "\nb\n"}, []string{long, "b"}},
		{"longer than a line", []string{long + "yz\n"}, []string{long, "yz"}},
		{"cut at a character", []string{euros + "€€\n"}, []string{euros, "€€"}},
		{"character over chunks", []string{"a\xe2", "\x82", "\xac\n"}, []string{"a€"}},
		{"character cut short at the end", []string{"a\xe2\x82"}, []string{"a\uFFFD\uFFFD"}},
		{"character cut short by a line feed", []string{"a\xe2\x82\nb\n"}, []string{"a\uFFFD\uFFFD", "b"}},
		{"noise is replaced byte by byte", []string{"\xff\xfe\x00ok\n"}, []string{"\uFFFD\uFFFD\u2400ok"}},
		{"escape sequences stay", []string{"\x1b[31mred\x1b[0m\n"}, []string{"\x1b[31mred\x1b[0m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, split(tt.chunks...)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplitterFlushShowsAPromptOnce(t *testing.T) {
	t.Parallel()
	var got []string
	emit := func(line []byte) { got = append(got, string(line)) }
	var s console.Splitter
	s.Write([]byte("password: "), emit)
	if !s.Pending() {
		t.Error("Pending() = false with a prompt waiting")
	}
	s.Flush(false, emit)
	s.Write([]byte("\nwelcome\n\n"), emit)
	s.Write([]byte("50%\r"), emit)
	s.Flush(false, emit)
	s.Write([]byte("\n"), emit)
	want := []string{"password: ", "welcome", "", "50%"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"say hi":                             "say hi",
		"a\n":                                "a",
		"a\nstop\r\n":                        "a stop",
		"a\r\nb":                             "a b",
		"\xff\x00":                           "\uFFFD\u2400",
		strings.Repeat("€", console.MaxLine): strings.Repeat("€", console.MaxLine/3),
	}
	for in, want := range tests {
		if got := console.Clean(in); got != want {
			t.Errorf("Clean(%.20q) = %.20q, want %.20q", in, got, want)
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\r\nb\n\xff\x00€"), 3)
	f.Add([]byte(strings.Repeat("€", 5000)), 100)
	f.Fuzz(func(t *testing.T, in []byte, chunk int) {
		if chunk < 1 {
			chunk = 1
		}
		var chunks []string
		for rest := in; len(rest) > 0; {
			n := min(chunk, len(rest))
			chunks = append(chunks, string(rest[:n]))
			rest = rest[n:]
		}
		got := split(chunks...)
		for _, line := range got {
			if len(line) > console.MaxLine || !utf8.ValidString(line) || strings.ContainsAny(line, "\n\x00") {
				t.Fatalf("not fit for a line: %.50q (%d bytes)", line, len(line))
			}
		}
		if diff := cmp.Diff(split(string(in)), got); diff != "" {
			t.Fatalf("the chunks matter (-whole +chunks):\n%s", diff)
		}
	})
}

func split(chunks ...string) []string {
	var (
		s   console.Splitter
		got []string
	)
	emit := func(line []byte) { got = append(got, string(line)) }
	for _, c := range chunks {
		s.Write([]byte(c), emit)
	}
	s.Flush(true, emit)
	return got
}
