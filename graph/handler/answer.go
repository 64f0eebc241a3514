package handler

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
	mediaStream   = "text/event-stream"
)

// acceptance is how a client wants to be answered.
type acceptance struct {
	media  string
	stream bool
}

// negotiate chooses the media type of the answer: the one that the client likes best, application/json for who does
// not care.
func negotiate(r *http.Request) (acceptance, bool) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return acceptance{media: mediaJSON}, true
	}
	best, chosen := 0.0, ""
	for element := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(element, ";")
		q := quality(parameters)
		media := strings.ToLower(strings.TrimSpace(name))
		if media == "*/*" || media == "application/*" {
			media = mediaJSON
		}
		known := media == mediaJSON || media == mediaResponse || media == mediaStream
		if known && q > best {
			best, chosen = q, media
		}
	}
	if chosen == "" {
		return acceptance{media: mediaJSON}, false
	}
	return acceptance{media: chosen, stream: chosen == mediaStream}, true
}

func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || math.IsNaN(q) {
				return 0
			}
			return q
		}
	}
	return 1
}

// single executes a query or a mutation.
func (h *Handler) single(ctx context.Context, w http.ResponseWriter, r *http.Request, a acceptance, params *graphql.RawParams) {
	op, list := h.exec.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if len(list) > 0 {
		h.answer(w, a, h.exec.DispatchError(ctx, list))
		return
	}
	h.execute(ctx, w, r, a, op)
}

// execute executes a query or a mutation that may be.
func (h *Handler) execute(ctx context.Context, w http.ResponseWriter, r *http.Request, a acceptance, op *graphql.OperationContext) {
	if op.Operation.Operation == subscription {
		h.refuse(w, r, a, http.StatusBadRequest, fault.New(fault.BadRequest,
			"Subscriptions need a WebSocket (graphql-transport-ws), or a POST with Accept: text/event-stream."))
		return
	}
	if h.unsafe(w, r, a, op) {
		return
	}
	respond, ctx := h.exec.DispatchOperation(ctx, op)
	h.answer(w, a, respond(ctx))
}

// unsafe refuses a mutation by GET, which a link or an image on a foreign page would be enough for, and reports whether
// it did.
func (h *Handler) unsafe(w http.ResponseWriter, r *http.Request, a acceptance, op *graphql.OperationContext) bool {
	if r.Method != http.MethodGet || op.Operation.Operation != ast.Mutation {
		return false
	}
	w.Header().Set("Allow", http.MethodPost)
	h.refuse(w, r, a, http.StatusMethodNotAllowed, fault.New(fault.BadRequest, "Send mutations by POST."))
	return true
}

// refuse answers a request that was not executed.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, a acceptance, status int, f *fault.Error) {
	if a.stream {
		a = acceptance{media: mediaJSON}
	}
	ctx := r.Context()
	h.write(w, a, status, h.exec.DispatchError(ctx, listOf(h.config.Presenter.Present(ctx, f))))
}

// answer writes a response with the status that the media type asks for.
func (h *Handler) answer(w http.ResponseWriter, a acceptance, response *graphql.Response) {
	status := http.StatusOK
	if a.stream {
		a = acceptance{media: mediaJSON}
	} else if a.media == mediaResponse && response != nil && len(response.Data) == 0 {
		status = statusOf(response.Errors)
	}
	h.write(w, a, status, response)
}

// statusOf returns the status of a request error.
func statusOf(errors gqlerror.List) int {
	for _, err := range errors {
		code, _ := err.Extensions["code"].(string)
		switch fault.Code(code) {
		case fault.Unauthenticated:
			return http.StatusUnauthorized
		case fault.Forbidden:
			return http.StatusForbidden
		case fault.RateLimited:
			return http.StatusTooManyRequests
		case fault.Internal:
			return http.StatusInternalServerError
		case fault.Timeout:
			return http.StatusGatewayTimeout
		default:
			return http.StatusBadRequest
		}
	}
	return http.StatusInternalServerError
}

// encode returns a response as it goes over the wire. Data is absent, and not null, where nothing was executed; it is JSON
// already and taken as it is, for it may be long.
func encode(response *graphql.Response) ([]byte, error) {
	if response == nil {
		return []byte("{}"), nil
	}
	var errs, extensions []byte
	var err error
	if n := min(len(response.Errors), maxErrors); n > 0 {
		if errs, err = json.Marshal(response.Errors[:n]); err != nil {
			return nil, err
		}
	}
	if len(response.Extensions) > 0 {
		if extensions, err = json.Marshal(response.Extensions); err != nil {
			return nil, err
		}
	}
	body := make([]byte, 0, len(errs)+len(response.Data)+len(extensions)+40)
	for _, member := range []struct {
		name  string
		value []byte
	}{{"errors", errs}, {"data", response.Data}, {"extensions", extensions}} {
		if len(member.value) == 0 {
			continue
		}
		separator := byte(',')
		if len(body) == 0 {
			separator = '{'
		}
		body = append(append(append(append(body, separator, '"'), member.name...), `":`...), member.value...)
	}
	if len(body) == 0 {
		body = append(body, '{')
	}
	return append(body, '}'), nil
}

func (h *Handler) write(w http.ResponseWriter, a acceptance, status int, response *graphql.Response) {
	body, err := encode(response)
	if err != nil {
		h.config.Logger.Error("could not encode an answer", slog.Any("error", err))
		status, body = http.StatusInternalServerError, []byte(`{"errors":[{"message":"The answer could not be encoded.","extensions":{"code":"INTERNAL"}}]}`)
	}
	header := w.Header()
	header.Set("Content-Type", a.media+"; charset=utf-8")
	header.Add("Vary", "Accept")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone does not read
}
