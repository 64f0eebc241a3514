package files

import (
	"context"
	"io"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Incoming is a file that is on its way to a server.
type Incoming struct {
	// Open returns the content and what the client calls the file.
	Open func() (body io.Reader, name string, err error)
}

// UploadInput is what Upload puts where.
type UploadInput struct {
	ServerID, Path string
	Files          []Incoming
}

// Upload puts files into a directory, which is made if need be; each replaces what has its name. It needs file.write. The
// files are read one after the other, and what was put before one that fails stays.
func (s *Service) Upload(ctx context.Context, in UploadInput) ([]Entry, error) {
	e := deed("file.upload", in.ServerID, in.Path)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(in.Files))
	for _, f := range in.Files {
		written, err := s.receive(ctx, at, in.Path, f)
		if err != nil {
			return out, s.record(ctx, e, err)
		}
		out = append(out, *written)
	}
	return out, s.record(ctx, e, nil)
}

// receive puts one file into a directory.
func (s *Service) receive(ctx context.Context, at *site, dir string, f Incoming) (*Entry, error) {
	body, name, err := f.Open()
	if err != nil {
		return nil, err
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return nil, fault.Input("files", "Each file needs a name of its own, without a directory.")
	}
	to := strings.TrimSuffix(dir, "/") + "/" + name // as it stands: a way out of the server is refused, not straightened
	if err := at.deny.Check(to); err != nil {
		return nil, err
	}
	source := &watched{Reader: body}
	written, err := s.put(ctx, at, protocol.Content{ServerID: at.id, Path: string(raw(to)), Parents: true}, source)
	if source.err != nil {
		return nil, source.err // which is why the node did not get it
	}
	return written, err
}

// watched remembers why a body could not be read.
type watched struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err //nolint:wrapcheck // it is a reader
}
