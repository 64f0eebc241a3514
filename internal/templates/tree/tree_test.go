package tree_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

func TestReadIsTheSameForJSONAndYAML(t *testing.T) {
	t.Parallel()
	const want = `{"z":"a\nb","a":[1,2.5,true,null,{}],"m":{"x":"yes","smile":"😀"}}`
	for name, text := range map[string]string{
		"JSON":  `{"z":"a\nb","a":[1,2.5,true,null,{}],"m":{"x":"yes","smile":"\ud83d\ude00"}}`,
		"YAML":  "z: |-\n  a\n  b\na: [1, 2.5, true, ~, {}]\nm:\n  x: yes\n  smile: 😀\n",
		"alias": "z: \"a\\nb\"\na: [1, 2.5, true, null, {}]\nm: {x: 'yes', smile: &s 😀}\n",
		"BOM":   "\uFEFF" + want,
	} {
		n, err := tree.Read([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+prev+", ", 9) + "*" + prev + "]\n"
	}
	for name, tt := range map[string]struct{ text, says string }{
		"too long":  {strings.Repeat("a", tree.MaxBytes+1), "longer"},
		"encoding":  {"a: \xff", "UTF-8"},
		"bomb":      {bomb, "values"},
		"deep":      {strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60), "deep"},
		"twice":     {`{"a":1,"a":2}`, "twice"},
		"complex":   {"? [a]\n: b\n", "key"},
		"no syntax": {"a: [", "YAML"},
		"cycle":     {"a: &a\n  b: *a\n", "YAML"},
	} {
		if _, err := tree.Read([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, tt.says)
		}
	}
}

func TestLookUp(t *testing.T) {
	t.Parallel()
	n, err := tree.Read([]byte("a: {b: {c: 5}}\ne: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Path("a", "b", "c").String(); got != "5" {
		t.Errorf("a.b.c is %q", got)
	}
	if n.Path("a", "x", "c") != nil || !n.Get("e").Empty() || !n.Get("x").Empty() || n.Get("a").Empty() {
		t.Error("what is not there is nil and empty")
	}
}

// FuzzRead makes sure that nothing panics and that what is read can be written as JSON and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "{}", "a: 1", `{"a":[1,{"b":null}]}`, "- x\n- &y z\n- *y", "a: 0x1F\nb: .inf\nc: 2001-01-01\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := tree.Read(text)
		if err != nil {
			return
		}
		once, err := json.Marshal(n)
		if err != nil {
			t.Fatalf("write %q: %v", text, err)
		}
		if n.Kind != tree.Map || len(once) > tree.MaxBytes {
			return
		}
		again, err := tree.Read(once)
		if err != nil {
			t.Fatalf("read %s again: %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Errorf("%s became %s (%v)", once, twice, err)
		}
	})
}
