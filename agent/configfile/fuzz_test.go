package configfile_test

import (
	"testing"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/agent/configfile"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// fuzz makes sure that no document, path or value makes a parser panic or write what it cannot read again, and that what
// was written stands there: writing it once more changes nothing.
func fuzz(f *testing.F, parser kind.ConfigParser, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed), "a.b", "", "x y")
		f.Add([]byte(seed), "a.*", `regex:^(.)`, "1")
		f.Add([]byte(seed), "a[0]", "1", "true")
	}
	f.Fuzz(func(t *testing.T, doc []byte, match, when, value string) {
		if len(doc) > 1<<16 || !utf8.ValidString(match) || !utf8.ValidString(value) {
			return
		}
		replace := []kind.ConfigReplacement{{Match: match, If: when, Value: value}}
		once, err := configfile.Rewrite(t.Context(), doc, parser, replace)
		if err != nil {
			return
		}
		twice, err := configfile.Rewrite(t.Context(), once, parser, replace)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be read: %v", doc, once, err)
		}
		if when == "" && string(once) != string(twice) {
			third, err := configfile.Rewrite(t.Context(), twice, parser, replace)
			if err != nil || string(third) != string(twice) {
				t.Fatalf("%q with %q=%q became %q, then %q, then %q", doc, match, value, once, twice, third)
			}
		}
	})
}

func FuzzProperties(f *testing.F) {
	fuzz(f, kind.ConfigParserProperties, "", "a.b=c\n", "#x\na.b : \\u0041\\\n more\r\n", "a.b")
}

func FuzzINI(f *testing.F) {
	fuzz(f, kind.ConfigParserINI, "", "[a]\nb=\"c\"\n", ";x\r\n[a]\r\nb = 1\r\n[c]")
}

func FuzzLines(f *testing.F) { fuzz(f, kind.ConfigParserFile, "", "a.b c\nd", "\r\n") }

func FuzzJSON(f *testing.F) {
	fuzz(f, kind.ConfigParserJSON, "", `{"a": {"b": 1}}`, `{"a": [1, null,], /* c */ "d": "e"}`, "[]", "null", `"a"`)
}

func FuzzYAML(f *testing.F) {
	fuzz(f, kind.ConfigParserYAML, "", "a:\n  b: 1 # c\n", "a: &x [1]\nb: *x\n---\nc\n", "- a", "{}", "a: |\n  b\n")
}

func FuzzTOML(f *testing.F) {
	fuzz(f, kind.ConfigParserTOML, "", "[a]\nb = 1 # c\n", "a = [1, {b = '''x'''}]\n", "[[a]]\nb=\"\"\"\nx\"\"\"", "a.b = 1979-05-27")
}

func FuzzXML(f *testing.F) {
	fuzz(f, kind.ConfigParserXML, "", "<a><b>c</b></a>", `<?xml version="1.0"?><a><!-- x --><b c="d"/></a>`, "<a><![CDATA[x]]></a>")
}
