package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// refusal is a request that is not read any further.
type refusal struct {
	status int
	fault  *fault.Error
}

func bad(status int, format string, args ...any) *refusal {
	return &refusal{status: status, fault: fault.New(fault.BadRequest, format, args...)}
}

// read returns the operation that a request asks for.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *refusal) {
	start := graphql.Now()
	var params *graphql.RawParams
	var refused *refusal
	switch r.Method {
	case http.MethodPost:
		params, refused = readPost(w, r)
	case http.MethodGet:
		params, refused = readGet(r)
	default:
		w.Header().Set("Allow", "GET, POST")
		refused = bad(http.StatusMethodNotAllowed, "Send operations by POST.")
	}
	if refused != nil {
		return nil, refused
	}
	if _, hashed := params.Extensions[persistedName]; !hashed && strings.TrimSpace(params.Query) == "" {
		return nil, bad(http.StatusBadRequest, "Send the document of the operation as query.")
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return params, nil
}

func readPost(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *refusal) {
	media, given, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media == mediaForm {
		return readForm(w, r, given["boundary"])
	}
	charset := strings.ToLower(given["charset"])
	if err != nil || media != "application/json" || charset != "" && charset != "utf-8" && charset != "utf8" {
		return nil, bad(http.StatusUnsupportedMediaType, "Send the operation as JSON in UTF-8, with Content-Type: application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, bad(http.StatusRequestEntityTooLarge, "The request is larger than %d bytes.", maxBody)
	}
	if err != nil {
		return nil, bad(http.StatusBadRequest, "The request could not be read to its end.")
	}
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return nil, bad(http.StatusBadRequest, "Send one operation for each request, not a list of them.")
	}
	return decode(body)
}

// decode reads {"query", "operationName", "variables", "extensions"}.
func decode(body []byte) (*graphql.RawParams, *refusal) {
	malformed := bad(http.StatusBadRequest,
		`Send a JSON object: {"query": text, "variables": object or null, "operationName": text or null}.`)
	if !utf8.Valid(body) {
		return nil, malformed
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var params *graphql.RawParams
	if err := decoder.Decode(&params); err != nil || params == nil {
		return nil, malformed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed
	}
	return params, nil
}

// readGet reads the operation from the address. Any page can make a browser send a GET, unless it has a header that
// pages may not set by themselves.
func readGet(r *http.Request) (*graphql.RawParams, *refusal) {
	if !preflighted(r) {
		return nil, bad(http.StatusBadRequest, "Send a header X-Catalyst-Client with any value along with a GET, or use POST.")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxBody {
		return nil, bad(http.StatusBadRequest, "The query string cannot be read.")
	}
	body := map[string]json.RawMessage{}
	for _, name := range []string{"variables", "extensions"} {
		if text := values.Get(name); text != "" {
			body[name] = json.RawMessage(text)
		}
	}
	for _, name := range []string{"query", "operationName"} {
		quoted, err := json.Marshal(values.Get(name))
		if err != nil {
			return nil, bad(http.StatusBadRequest, "The query string cannot be read.")
		}
		body[name] = quoted
	}
	whole, err := json.Marshal(body)
	if err != nil {
		return nil, bad(http.StatusBadRequest, "variables and extensions must be JSON objects.")
	}
	return decode(whole)
}

// preflighted reports whether no foreign page can have made the browser send this request.
func preflighted(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return true
	}
	for _, name := range []string{"X-Catalyst-Client", "X-Requested-With", "Apollo-Require-Preflight", "GraphQL-Require-Preflight"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}
