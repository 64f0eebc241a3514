package httpd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// bodyHead is how long a client may take to get its body going, and bodyRate the bytes a second that it must keep
	// up on average after that.
	bodyHead = 30 * time.Second
	bodyRate = 8 << 10
)

// timeouts holds slow clients to a minimum speed, and lets WebSockets and event streams live: those have no time-out
// here (their handlers set deadlines per write) but end when the server shuts down.
func (s *Server) timeouts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		body := &pacedBody{ReadCloser: r.Body, control: control, start: time.Now()}
		r.Body = body
		body.extend()
		if isForm(r) { // whose files take the time that their bytes take
			_ = control.SetWriteDeadline(time.Time{})
		}
		if !isStream(r) {
			next.ServeHTTP(w, r)
			return
		}
		// An unsupported deadline means a test's recorder, which has nothing to time out.
		_ = control.SetWriteDeadline(time.Time{})
		s.streams.Add(1)
		defer s.streams.Done()
		ctx, cancel := s.streamContext(r.Context())
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// transfers lets bodies and answers take as long as they need while they keep up a minimum speed, and ends them when the
// server shuts down.
func (s *Server) transfers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		body := &pacedBody{ReadCloser: r.Body, control: control, start: time.Now()}
		r.Body = body
		body.extend()
		_ = control.SetWriteDeadline(time.Time{}) // the handler sets one for each write
		s.streams.Add(1)
		defer s.streams.Done()
		ctx, cancel := s.streamContext(r.Context())
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// streamContext returns a context that ends with the request, or with request.ErrShutdown as its cause when the server
// shuts down.
func (s *Server) streamContext(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	if s.streamEnd == nil {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(s.streamEnd, func() { cancel(context.Cause(s.streamEnd)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// isStream reports whether the answer may go on for as long as both sides like.
func isStream(r *http.Request) bool {
	return headerHas(r.Header, "Connection", "upgrade") || headerHas(r.Header, "Accept", "text/event-stream")
}

// isForm reports whether files come with the request.
func isForm(r *http.Request) bool {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "multipart/form-data")
}

// headerHas reports whether a comma-separated header names a token, whatever its parameters.
func headerHas(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for element := range strings.SplitSeq(value, ",") {
			element, _, _ = strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(element), token) {
				return true
			}
		}
	}
	return false
}

// pacedBody is a request body that must arrive at a minimum speed. The read deadline is lifted at its end: on the same
// connection net/http then waits for the client's next word, which may take as long as the answer does.
type pacedBody struct {
	io.ReadCloser

	control *http.ResponseController
	start   time.Time
	read    int64
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
		return n, err
	}
	b.extend()
	return n, err
}

func (b *pacedBody) extend() {
	if b.ReadCloser == http.NoBody {
		return
	}
	allowed := bodyHead + time.Duration(b.read/bodyRate)*time.Second
	_ = b.control.SetReadDeadline(b.start.Add(allowed))
}
