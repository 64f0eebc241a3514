package filehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/files"
)

const (
	// pause is how long a client may take nothing.
	pause = time.Minute
	// piece is how much is passed on at once, in bytes.
	piece = 256 << 10
)

// returned are the headers of a node's answer that are passed on.
var returned = []string{"Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified"}

// opener opens what a signed address leads to.
type opener func(ctx context.Context, signed, method string, header http.Header) (*files.Download, error)

// download passes a file or an archive on.
func (h *Handler) download(open opener) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.passOn(w, r, open) }
}

func (h *Handler) passOn(w http.ResponseWriter, r *http.Request, open opener) {
	d, err := open(r.Context(), r.PathValue("token"), r.Method, r.Header)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer d.Close()
	defer func() { _ = d.Answer.Body.Close() }()
	header := w.Header()
	for _, name := range returned {
		if v := d.Answer.Header.Values(name); len(v) > 0 {
			header[name] = v
		}
	}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", Disposition(d.Name))
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cache-Control", "private, no-cache")
	w.WriteHeader(d.Answer.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	err = pass(d.Context, w, d.Answer.Body) //nolint:contextcheck // it is the request's, and ends with the right
	if err == nil {
		return
	}
	if cause := context.Cause(d.Context); cause != nil { //nolint:contextcheck // as above
		err = cause
	}
	h.config.Logger.DebugContext(r.Context(), "a download was broken off", slog.Any("error", err))
	panic(http.ErrAbortHandler) // half of a file must not look like a whole one
}

// pass copies to a client that must go on reading. It ends at once when ctx does.
func pass(ctx context.Context, w http.ResponseWriter, from io.Reader) error {
	control := http.NewResponseController(w)
	// A write that waits for the client ends, too.
	defer context.AfterFunc(ctx, func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) })()
	buffer := make([]byte, piece)
	for {
		n, err := from.Read(buffer)
		if n > 0 && ctx.Err() == nil {
			_ = control.SetWriteDeadline(time.Now().Add(pause))
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				return fmt.Errorf("send to the client: %w", err)
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read from the node: %w", err)
		}
	}
}

// Disposition is a Content-Disposition by which a file is saved under a name, whatever characters that has: in full for
// clients that know RFC 6266, and without the dangerous ones for others.
func Disposition(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r == '/' || r == '\\' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	if name == "" || strings.Trim(name, ". ") == "" {
		name = "file"
	}
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"%;`, r) {
			return '_'
		}
		return r
	}, name)
	value := mime.FormatMediaType("attachment", map[string]string{"filename": ascii})
	if ascii != name {
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}
