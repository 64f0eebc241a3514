package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/internal/accounts"
)

// form is a multipart request, part by part.
type form struct {
	d      *drive
	body   bytes.Buffer
	parts  *multipart.Writer
	header map[string]string
}

func (d *drive) form(who *accounts.Credentials) *form {
	f := &form{d: d, header: map[string]string{"Apollo-Require-Preflight": "1"}}
	if who != nil {
		f.header["Authorization"] = "Bearer " + who.AccessToken
	}
	f.parts = multipart.NewWriter(&f.body)
	return f
}

const uploadFiles = `mutation($in: UploadFilesInput!) { uploadFiles(input: $in) { files { path size } } }`

func (f *form) field(name, value string) *form {
	f.d.Must(f.parts.WriteField(name, value))
	return f
}

// operation writes the parts before the files, for so many of them.
func (f *form) operation(path string, places ...string) *form {
	files := make([]any, len(places))
	operations, err := json.Marshal(map[string]any{
		"query": uploadFiles, "variables": map[string]any{"in": map[string]any{"serverId": f.d.id, "path": path, "files": files}},
	})
	f.d.Must(err)
	at := map[string][]string{}
	for i, part := range places {
		at[part] = []string{"variables.in.files." + string(rune('0'+i))}
	}
	where, err := json.Marshal(at)
	f.d.Must(err)
	return f.field("operations", string(operations)).field("map", string(where))
}

func (f *form) file(part, name, content string) *form {
	w, err := f.parts.CreateFormFile(part, name)
	f.d.Must(err)
	_, err = io.WriteString(w, content)
	f.d.Must(err)
	return f
}

// send returns the status and the answer.
func (f *form) send() (status int, answer string) {
	f.d.T.Helper()
	f.d.Must(f.parts.Close())
	return f.cut(f.body.Len())
}

// cut sends only the first bytes.
func (f *form) cut(length int) (status int, answer string) {
	f.d.T.Helper()
	r, err := http.NewRequestWithContext(f.d.T.Context(), http.MethodPost, f.d.URL+"/graphql", bytes.NewReader(f.body.Bytes()[:length]))
	f.d.Must(err)
	r.Header.Set("Content-Type", f.parts.FormDataContentType())
	for name, value := range f.header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	f.d.Must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	f.d.Must(err)
	return resp.StatusCode, string(body)
}

func (d *drive) content(name string) string {
	b, err := os.ReadFile(filepath.Join(d.root, name))
	if err != nil {
		return "(none)"
	}
	return string(b)
}

func TestUploadFiles(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	status, answer := d.form(d.owner).operation("/mods/new", "a", "b").
		file("a", "one.jar", large).file("b", "two ü.txt", "two").send()
	if status != http.StatusOK || !strings.Contains(answer, `{"path":"/mods/new/one.jar","size":4194304}`) {
		t.Errorf("got %d %s", status, answer)
	}
	if d.content("mods/new/one.jar") != large || d.content("mods/new/two ü.txt") != "two" {
		t.Error("the files are not what was sent")
	}
	status, answer = d.form(d.owner).operation("/mods/new", "a").file("a", "one.jar", "replaced").send()
	if status != http.StatusOK || d.content("mods/new/one.jar") != "replaced" {
		t.Errorf("replacing: %d %s", status, answer)
	}
}

// TestUploadRefusals changes nothing, and says why.
func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	named := func(name string) *form { return d.form(d.owner).operation("/", "a").file("a", name, "x") }
	foreign := d.form(d.owner).operation("/", "a").file("a", "f", "x")
	delete(foreign.header, "Apollo-Require-Preflight")
	half := d.form(d.owner).operation("/", "a").file("a", "half.dat", strings.Repeat("x", 1<<20))
	for name, tt := range map[string]struct {
		form *form
		cut  int
		code string
	}{
		"a foreign page":        {form: foreign, code: "BAD_REQUEST"},
		"nobody":                {form: d.form(nil).operation("/", "a").file("a", "f", "x"), code: "UNAUTHENTICATED"},
		"without the right":     {form: d.form(d.reader).operation("/", "a").file("a", "f", "x"), code: "FORBIDDEN"},
		"no name":               {form: named(""), code: "BAD_USER_INPUT"},
		"the directory above":   {form: named(".."), code: "BAD_USER_INPUT"},
		"out of the server":     {form: d.form(d.owner).operation("/../..", "a").file("a", "f", "x"), code: "BAD_USER_INPUT"},
		"out of order":          {form: d.form(d.owner).operation("/", "a", "b").file("b", "f", "x").file("a", "g", "y"), code: "BAD_USER_INPUT"},
		"a file that is absent": {form: d.form(d.owner).operation("/", "a"), code: "BAD_USER_INPUT"},
		"the map first":         {form: d.form(d.owner).field("map", "{}").field("operations", "{}"), code: "BAD_REQUEST"},
		"a map to nowhere":      {form: d.form(d.owner).field("operations", `{"query":"{ __typename }"}`).field("map", `{"a":["variables.x"]}`), code: "BAD_REQUEST"},
		"a batch":               {form: d.form(d.owner).field("operations", `[{"query":"{ __typename }"}]`).field("map", `{}`), code: "BAD_REQUEST"},
		"null for a file":       {form: d.form(d.owner).field("operations", `{"query":"mutation { uploadFiles(input: {serverId: \"x\", path: \"/\", files: [\"f\"]}) { files { path } } }"}`).field("map", `{}`), code: "BAD_USER_INPUT"},
		"cut":                   {form: half, cut: 1 << 19, code: "BAD_USER_INPUT"},
	} {
		var answer string
		if tt.cut > 0 {
			_, answer = tt.form.cut(tt.cut)
		} else {
			_, answer = tt.form.send()
		}
		if !strings.Contains(answer, `"code":"`+tt.code+`"`) {
			t.Errorf("%s: %s, want %s", name, answer, tt.code)
		}
	}
	for _, name := range []string{"f", "g", "half.dat"} {
		if got := d.content(name); got != "(none)" {
			t.Errorf("%s is there: %.20q", name, got)
		}
	}
}
