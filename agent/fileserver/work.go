package fileserver

import (
	"context"
	"net/url"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/archive"
	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// tellEvery is how often progress is told.
const tellEvery = 400 * time.Millisecond

// meter is how far a work is.
type meter struct{ done, total atomic.Int64 }

func (m *meter) progress() *protocol.FileProgress {
	return &protocol.FileProgress{BytesDone: m.done.Load(), BytesTotal: m.total.Load()}
}

// work does something long in a server's tree and tells how far it is. It returns when that has ended, also when the panel
// does not listen any more.
func (s *Service) work(ctx context.Context, serverID string, stream *connect.ServerStream[protocol.FileProgress], do func(context.Context, *files.Tree, *meter) (*protocol.FileProgress, error)) error {
	tree, err := s.config.Files.Tree(serverID)
	if err != nil {
		return s.fail(ctx, err)
	}
	defer tree.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var last *protocol.FileProgress
	ended := make(chan error, 1)
	go func() {
		var err error
		last, err = do(ctx, tree, &m)
		ended <- err
	}()
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return s.fail(ctx, err)
			}
			return stream.Send(last)
		case <-ticker.C:
			if stream.Send(m.progress()) != nil {
				cancel() // nobody listens: the end of the work is waited for
			}
		}
	}
}

// CompressFiles packs files into an archive.
func (s *Service) CompressFiles(ctx context.Context, req *connect.Request[protocol.CompressFilesRequest], stream *connect.ServerStream[protocol.FileProgress]) error {
	return s.work(ctx, req.Msg.GetServerId(), stream, func(ctx context.Context, tree *files.Tree, m *meter) (*protocol.FileProgress, error) {
		p := archive.Packing{
			Format: formats[req.Msg.GetFormat()], Leave: leaving(req.Msg.GetLeave()), Progress: func(n int64) { m.done.Add(n) },
		}
		for _, name := range req.Msg.GetPaths() {
			p.Paths = append(p.Paths, string(name))
		}
		size, err := archive.Size(ctx, tree, p)
		if err != nil {
			return nil, err
		}
		m.total.Store(size)
		out, err := tree.Replace(string(req.Msg.GetArchive()), files.As{New: true, Parents: true})
		if err != nil {
			return nil, err
		}
		defer out.Abort()
		if err := archive.Write(ctx, out, tree, p); err != nil {
			return nil, err
		}
		e, err := out.Commit()
		if err != nil {
			return nil, err
		}
		return finished(m, entry(e)), nil
	})
}

// finished is the last word on a work that was done.
func finished(m *meter, e *protocol.FileEntry) *protocol.FileProgress {
	out := m.progress()
	out.BytesTotal, out.Result = out.GetBytesDone(), e
	return out
}

// DecompressFile unpacks an archive.
func (s *Service) DecompressFile(ctx context.Context, req *connect.Request[protocol.DecompressFileRequest], stream *connect.ServerStream[protocol.FileProgress]) error {
	return s.work(ctx, req.Msg.GetServerId(), stream, func(ctx context.Context, tree *files.Tree, m *meter) (*protocol.FileProgress, error) {
		name, into := string(req.Msg.GetArchive()), string(req.Msg.GetPath())
		e, err := tree.Stat(name, true)
		if err != nil {
			return nil, err
		}
		m.total.Store(e.Size)
		done, err := archive.Unpack(ctx, tree, name, into, archive.Options{
			Limits: archive.Default(), Leave: leaving(req.Msg.GetLeave()), Progress: func(n int64) { m.done.Store(min(n, e.Size)) },
		})
		if err != nil {
			return nil, err
		}
		m.done.Store(e.Size)
		if e, err = tree.Stat(into, true); err != nil {
			return nil, err
		}
		out := finished(m, entry(e))
		out.Entries, out.LeftOut = int64(done.Entries), int64(done.LeftOut)
		return out, nil
	})
}

// PullFile downloads a file from somewhere else.
func (s *Service) PullFile(ctx context.Context, req *connect.Request[protocol.PullFileRequest], stream *connect.ServerStream[protocol.FileProgress]) error {
	return s.work(ctx, req.Msg.GetServerId(), stream, func(ctx context.Context, tree *files.Tree, m *meter) (*protocol.FileProgress, error) {
		from, err := url.Parse(req.Msg.GetUrl())
		if err != nil {
			return nil, fault.Input("url", "This is no address.").Wrap(err)
		}
		body, size, err := fetch(ctx, from, req.Msg.GetAllowedNetworks())
		if err != nil {
			return nil, err
		}
		defer body.Close()
		m.total.Store(size)
		out, err := tree.Replace(string(req.Msg.GetPath()), files.As{New: true, Parents: true})
		if err != nil {
			return nil, err
		}
		defer out.Abort()
		if err := body.copyTo(out, m); err != nil {
			return nil, err
		}
		e, err := out.Commit()
		if err != nil {
			return nil, err
		}
		return finished(m, entry(e)), nil
	})
}

// LookIntoArchive names what is in an archive.
func (s *Service) LookIntoArchive(ctx context.Context, req *connect.Request[protocol.LookIntoArchiveRequest]) (*connect.Response[protocol.LookIntoArchiveResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.LookIntoArchiveResponse, error) {
		found, more, err := archive.Look(ctx, tree, string(req.Msg.GetArchive()), limit(req.Msg.GetLimit()))
		if err != nil {
			return nil, err
		}
		return &protocol.LookIntoArchiveResponse{Entries: entries(found), More: more}, nil
	})
}
