package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/graph/scalar"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	mediaForm = "multipart/form-data"
	// maxForm bounds the files of one request together, maxFiles their number, maxMap the part that says where they go.
	maxForm  = 100 << 20
	maxFiles = 50
	maxMap   = 64 << 10
)

// readForm reads an operation with files, as the GraphQL multipart request specification has it: a part "operations", a
// part "map", and the files. Only the first two are read here; the files are read while the operation is carried out, one
// after the other, and kept nowhere. Forms are what a foreign page can send, so a header is needed that it cannot.
func readForm(w http.ResponseWriter, r *http.Request, boundary string) (*graphql.RawParams, *refusal) {
	if !preflighted(r) {
		return nil, bad(http.StatusBadRequest, "Send a header Apollo-Require-Preflight or X-Catalyst-Client with any value along with a form.")
	}
	f := &form{parts: multipart.NewReader(http.MaxBytesReader(w, r.Body, maxForm+maxBody+maxMap), boundary)}
	operations, refused := f.text("operations", maxBody)
	if refused != nil {
		return nil, refused
	}
	if bytes.HasPrefix(bytes.TrimLeft(operations, " \t\r\n"), []byte("[")) {
		return nil, bad(http.StatusBadRequest, "Send one operation for each request, not a list of them.")
	}
	params, refused := decode(operations)
	if refused != nil {
		return nil, refused
	}
	text, refused := f.text("map", maxMap)
	if refused != nil {
		return nil, refused
	}
	var places map[string][]string
	if err := json.Unmarshal(text, &places); err != nil || len(places) > maxFiles {
		return nil, bad(http.StatusBadRequest, `The part "map" is an object with at most %d names of parts, each with a list of one path such as "variables.input.files.0".`, maxFiles)
	}
	for part, paths := range places {
		if len(paths) != 1 || !place(params.Variables, paths[0], f.upload(part)) {
			return nil, bad(http.StatusBadRequest, `The part "map" names for %.50q no place in the variables that is null: each file has one, such as "variables.input.files.0".`, part)
		}
	}
	return params, nil
}

// form is a multipart body that is read part by part.
type form struct {
	parts *multipart.Reader
	err   error
}

// text returns the next part, which must have a name.
func (f *form) text(name string, most int64) ([]byte, *refusal) {
	malformed := bad(http.StatusBadRequest, `A form has the parts "operations" and "map" first, then the files.`)
	part, err := f.parts.NextPart()
	if err != nil || part.FormName() != name {
		return nil, malformed
	}
	text, err := io.ReadAll(io.LimitReader(part, most+1))
	if err != nil {
		return nil, malformed
	}
	if int64(len(text)) > most {
		return nil, bad(http.StatusRequestEntityTooLarge, "The part %q is larger than %d bytes.", name, most)
	}
	return text, nil
}

// upload is the file of a part. What it calls itself is known once it is opened.
func (f *form) upload(part string) *scalar.Upload {
	u := &scalar.Upload{}
	u.Open = func() (io.Reader, error) {
		if f.err != nil {
			return nil, f.err
		}
		p, err := f.parts.NextPart()
		switch {
		case err != nil:
			f.err = lost(err)
			return nil, f.err
		case p.FormName() != part:
			f.err = fault.New(fault.BadUserInput, "The files of a form have to come in the order in which the operation has them.")
			return nil, f.err
		}
		u.Name = p.FileName()
		return &content{form: f, part: p}, nil
	}
	return u
}

// content is a file that is on its way.
type content struct {
	form *form
	part *multipart.Part
}

// Read implements io.Reader. Its errors are faults.
func (c *content) Read(b []byte) (int, error) {
	n, err := c.part.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lost(err)
		c.form.err = err
	}
	return n, err //nolint:wrapcheck // it is io.EOF, or a fault
}

// lost says why a form cannot be read on.
func lost(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.BadUserInput, "The files of one form may have %d bytes together: send larger ones with createUpload.", maxForm).Wrap(err)
	}
	return fault.New(fault.BadUserInput, "The form broke off before its end: send it again, or use createUpload, which can go on where it was.").Wrap(err)
}

// place puts an upload where a path leads, which must be null, and reports whether it did.
func place(variables map[string]any, path string, u *scalar.Upload) bool {
	keys := strings.Split(path, ".")
	if len(keys) < 2 || keys[0] != "variables" {
		return false
	}
	var at any = variables
	for i, key := range keys[1:] {
		last := i == len(keys)-2
		switch node := at.(type) {
		case map[string]any:
			value, ok := node[key]
			if !ok || last && value != nil {
				return false
			}
			if last {
				node[key] = u
				return true
			}
			at = value
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(node) || last && node[n] != nil {
				return false
			}
			if last {
				node[n] = u
				return true
			}
			at = node[n]
		default:
			return false
		}
	}
	return false
}
