package configfile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/configfile"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

type replacements = []kind.ConfigReplacement

func TestRewrite(t *testing.T) {
	t.Parallel()
	set := func(pairs ...string) replacements {
		var out replacements
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, kind.ConfigReplacement{Match: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	for name, tt := range map[string]struct {
		parser    kind.ConfigParser
		replace   replacements
		doc, want string
	}{
		"properties: order, comments and spaces stay, what is missing is added": {
			kind.ConfigParserProperties, set("server-port", "25570", "motd", "a \\ b=c\nd", "new key", " x"),
			"#Minecraft\n  ! more\n\nserver-port=25565\nmotd = A Server\nquery.port:1\n",
			"#Minecraft\n  ! more\n\nserver-port=25570\nmotd = a \\\\ b=c\\nd\nquery.port:1\nnew\\ key=\\ x\n",
		},
		"properties: every one of the same key, a continued line, CRLF, no line end at the end": {
			kind.ConfigParserProperties, set("a", "ä", "b", ""), "a=1\r\na 2\\\r\n   and more\r\nb=\\u0041", "a=\\u00E4\r\na \\u00E4\r\nb=",
		},
		"properties: a condition": {
			kind.ConfigParserProperties,
			replacements{
				{Match: "ip", If: "127.0.0.1", Value: "0.0.0.0"},
				{Match: "name", If: "other", Value: "no"},
				{Match: "url", If: `regex:^http://localhost(:\d+)?`, Value: "http://10.0.0.1$1"},
				{Match: "gone", If: "x", Value: "no"},
			},
			"ip=127.0.0.1\nname=this\nurl=http\\://localhost\\:80/x\n", "ip=0.0.0.0\nname=this\nurl=http://10.0.0.1:80/x\n",
		},
		"ini: sections, quotes, what is missing": {
			kind.ConfigParserINI, set("Server.Port", "7777", "Server.Name", `My "Server"`, "Server.Slots", "8", "top", "1",
				"[/Script/Engine.Game].Max.Players", "9", "New.Key", "a\nb"),
			"; a comment\ntop=0\n[Server]\nPort = 1 \nName=\"x\"\n\n[/Script/Engine.Game]\nOther=1\n",
			"; a comment\ntop=1\n[Server]\nPort = 7777\nName=\"My \"Server\"\"\nSlots=8\n\n[/Script/Engine.Game]\nOther=1\nMax.Players=9\n[New]\nKey=a b\n",
		},
		"ini: into nothing": {kind.ConfigParserINI, set("a", "1", "b.c", "2"), "", "a=1\n[b]\nc=2\n"},
		"file: lines by their beginning": {
			kind.ConfigParserFile, set("sv_port", "sv_port 8304", "absent", "absent 1"), "# sv_port\nsv_port 8303\nsv_port_x 1", "# sv_port\nsv_port 8304\nsv_port 8304",
		},
		"json: kinds of values, order, comments": {
			kind.ConfigParserJSON, set("name", "true", "max", "16", "on", "1", "pin", "0123", "deep.new.key", "x", "list[1]", "b2", "off", "false", "none", "5"),
			"{\n  // what it is called\n  \"name\": \"x\",\n  \"max\": 1, \"on\": false,\n  \"pin\": 1,\n  \"deep\": {},\n  \"list\": [\"a\", \"b\"],\n  \"none\": null\n}\n",
			"{\n  // what it is called\n  \"name\": \"true\",\n  \"max\": 16, \"on\": true,\n  \"pin\": \"0123\",\n  \"deep\": {\"new\": {\"key\": \"x\"}},\n  \"list\": [\"a\", \"b2\"],\n  \"none\": 5,\n  \"off\": false\n}\n",
		},
		"json: every element, conditions": {
			kind.ConfigParserJSON,
			replacements{
				{Match: "servers.*.host", If: `regex:^(127\.0\.0\.1|localhost)(:\d+)?$`, Value: "10.0.0.1$2"},
				{Match: "servers.*.missing", Value: "1"},
				{Match: "servers.a", If: "x", Value: "no"},
			},
			`{"servers": {"a": {"host": "localhost:1"}, "b": {"host": "other"}, "c": [1]}}`,
			`{"servers": {"a": {"host": "10.0.0.1:1"}, "b": {"host": "other"}, "c": [1]}}`,
		},
		"json: a value cannot end its string": {kind.ConfigParserJSON, set("a", `", "admin": true, "x": "`), `{"a": ""}`, `{"a": "\", \"admin\": true, \"x\": \""}`},
		"json: into nothing":                  {kind.ConfigParserJSON, set("a.b", "1", "c", "x"), "", "{\"a\": {\"b\": 1}, \"c\": \"x\"}\n"},
		"yaml: kinds, comments, lists, other documents": {
			kind.ConfigParserYAML, set("listeners[0].host", "0.0.0.0:25577", "listeners.0.motd", "12", "online", "false", "list", "x: y", "new.key", "# no\ncomment"),
			"# head\nlisteners:\n  - host: 1.2.3.4 # where\n    motd: 'hi'\nonline: true\nlist: a\n---\nsecond: 1\n",
			"# head\nlisteners:\n  - host: 0.0.0.0:25577 # where\n    motd: '12'\nonline: false\nlist: 'x: y'\nnew:\n  key: |-\n    # no\n    comment\n---\nsecond: 1\n",
		},
		"yaml: a key with a dot, every element": {
			kind.ConfigParserYAML, replacements{{Match: `a\.b.*.c`, Value: "2"}, {Match: "null", Value: "1"}}, "a.b:\n  x: {c: 1}\n  y: {d: 1}\n", "a.b:\n  x: {c: 2}\n  y: {d: 1}\n\"null\": 1\n",
		},
		"toml: comments, tables, strings, what is missing": {
			kind.ConfigParserTOML, set("bind", `0.0.0.0:"1"`, "online-mode", "false", "advanced.level", "3", "servers.try[1]", "b", "advanced.new key", "y", "query.port", "5", "list.1.x", "2"),
			"# Velocity\nbind = '1:2' # here\nonline-mode = true\n\n[servers]\ntry = [\n  \"lobby\", # first\n  \"a\"\n]\n\n[advanced]\nlevel = 1\n\n[[list]]\nx = 1\n[[list]]\nx = 1\n",
			"# Velocity\nbind = \"0.0.0.0:\\\"1\\\"\" # here\nonline-mode = false\n\n[servers]\ntry = [\n  \"lobby\", # first\n  \"b\"\n]\n\n[advanced]\nlevel = 3\n\"new key\" = \"y\"\n\n[[list]]\nx = 1\n[[list]]\nx = 2\n\n[query]\nport = 5\n",
		},
		"xml: texts, attributes, what is missing": {
			kind.ConfigParserXML, set("S.port", "1 < 2", "S.property[@name='p'].@value", `a"b`, "S.other", "[on='yes']", "S.new.er", "x"),
			"<?xml version=\"1.0\"?>\n<!-- c -->\n<S>\n  <port>1</port>\n  <property name=\"p\" value=\"0\"/>\n  <other/>\n</S>\n",
			"<?xml version=\"1.0\"?>\n<!-- c -->\n<S>\n  <port>1 &lt; 2</port>\n  <property name=\"p\" value=\"a&quot;b\"/>\n  <other on=\"yes\"/>\n<new><er>x</er></new></S>\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := configfile.Rewrite(t.Context(), []byte(tt.doc), tt.parser, tt.replace)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			again, err := configfile.Rewrite(t.Context(), got, tt.parser, tt.replace)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(got), string(again)); diff != "" && !strings.Contains(name, "condition") {
				t.Errorf("a second time changes it (-once +twice):\n%s", diff)
			}
		})
	}
}

func TestRewriteRefuses(t *testing.T) {
	t.Parallel()
	one := replacements{{Match: "a.b", Value: "1"}}
	many := replacements{{Match: "*", Value: strings.Repeat("x", 8000)}}
	for name, tt := range map[string]struct {
		parser  kind.ConfigParser
		replace replacements
		doc     string
		says    string
	}{
		"no JSON":                    {kind.ConfigParserJSON, one, `{"a": `, "no JSON"},
		"no YAML":                    {kind.ConfigParserYAML, one, "a: [", "no YAML"},
		"no TOML":                    {kind.ConfigParserTOML, one, "a = ", "no TOML"},
		"no XML":                     {kind.ConfigParserXML, one, "<a>", "no XML"},
		"not UTF-8":                  {kind.ConfigParserJSON, one, "\"\xff\"", "UTF-8"},
		"too large":                  {kind.ConfigParserFile, one, strings.Repeat("x", configfile.MaxSize+1), "4 MiB"},
		"grows too large":            {kind.ConfigParserJSON, many, "[" + strings.Repeat("1,", 5000) + "1]", "4 MiB"},
		"JSON that is nested deep":   {kind.ConfigParserJSON, one, strings.Repeat(`["]",`, 400_000), "nested"},
		"YAML that is nested deep":   {kind.ConfigParserYAML, one, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested"},
		"XML that is nested deep":    {kind.ConfigParserXML, one, strings.Repeat("<a>", 600) + strings.Repeat("</a>", 600), "nested"},
		"TOML through a value":       {kind.ConfigParserTOML, one, "a = 1\n", "no table"},
		"an unknown parser":          {"HOCON", one, "", "does not know"},
		"a condition of other kinds": {kind.ConfigParserFile, replacements{{Match: "a", If: `regex:(?!a)`}}, "a", "no regular expression"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := configfile.Rewrite(t.Context(), []byte(tt.doc), tt.parser, tt.replace)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %d bytes and %v, want an error with %q", len(got), err, tt.says)
			}
		})
	}
	late, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	t.Cleanup(cancel)
	<-late.Done()
	if _, err := configfile.Rewrite(late, []byte("a"), kind.ConfigParserFile, one); err == nil {
		t.Error("there was time left")
	}
}
