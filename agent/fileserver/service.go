package fileserver

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// maxRequest bounds one message of the panel, in bytes.
	maxRequest = 4 << 20
	// maxEntries is how many entries one answer may have.
	maxEntries = 1000
)

// Config is what a Service needs.
type Config struct {
	// Files has the servers' files.
	Files *files.Store
	// Logger is for operators.
	Logger *slog.Logger
}

// Service answers the panel's calls about files.
type Service struct{ config Config }

var _ protocol.FileServiceHandler = (*Service)(nil)

// New returns a service.
func New(config Config) *Service { return &Service{config: config} }

// Register makes the service answer on a mux.
func (s *Service) Register(mux *http.ServeMux) {
	mux.Handle(protocol.NewFileServiceHandler(s, connect.WithReadMaxBytes(maxRequest), connect.WithCompression("gzip", nil, nil)))
	mux.HandleFunc("GET "+protocol.ContentPath, s.readContent)
	mux.HandleFunc("PUT "+protocol.ContentPath, s.writeContent)
	mux.HandleFunc("POST "+protocol.ArchivePath, s.streamArchive)
	mux.HandleFunc("PATCH "+protocol.UploadPath, s.appendUpload)
}

// with does something in a server's tree and makes what fails an error of the wire.
func with[T any](ctx context.Context, s *Service, serverID string, do func(*files.Tree) (*T, error)) (*connect.Response[T], error) {
	tree, err := s.config.Files.Tree(serverID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	defer tree.Close()
	answer, err := do(tree)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(answer), nil
}

// ListFiles describes one page of a directory.
func (s *Service) ListFiles(ctx context.Context, req *connect.Request[protocol.ListFilesRequest]) (*connect.Response[protocol.ListFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.ListFilesResponse, error) {
		page := files.Page{Order: orders[req.Msg.GetOrder()], Reverse: req.Msg.GetDescending(), Most: limit(req.Msg.GetLimit())}
		if after := req.Msg.GetAfter(); after != nil {
			page.After = &files.Place{Directory: after.GetDirectory(), Number: after.GetNumber(), Name: string(after.GetName())}
		}
		found, err := tree.List(ctx, string(req.Msg.GetPath()), page)
		if err != nil {
			return nil, err
		}
		answer := &protocol.ListFilesResponse{Entries: entries(found.Entries), Total: int64(found.Total), More: found.More}
		for _, p := range found.Places {
			answer.Places = append(answer.Places, &protocol.FilePlace{Directory: p.Directory, Number: p.Number, Name: []byte(p.Name)})
		}
		return answer, nil
	})
}

// StatFile describes one name.
func (s *Service) StatFile(ctx context.Context, req *connect.Request[protocol.StatFileRequest]) (*connect.Response[protocol.StatFileResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.StatFileResponse, error) {
		e, err := stat(tree, string(req.Msg.GetPath()))
		if err != nil {
			return nil, err
		}
		return &protocol.StatFileResponse{Entry: e}, nil
	})
}

// stat describes what a name leads to, and a link that leads nowhere as a link.
func stat(tree *files.Tree, name string) (*protocol.FileEntry, error) {
	e, err := tree.Stat(name, true)
	if err != nil {
		link, linkErr := tree.Stat(name, false)
		if linkErr != nil {
			return nil, err
		}
		e = link
	}
	out := entry(e)
	if e.Kind == files.Regular && out.GetMimeType() == unknownType {
		out.MimeType = sniff(tree, name)
	}
	return out, nil
}

// SearchFiles looks for names below a directory.
func (s *Service) SearchFiles(ctx context.Context, req *connect.Request[protocol.SearchFilesRequest]) (*connect.Response[protocol.SearchFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.SearchFilesResponse, error) {
		found, err := tree.Search(ctx, string(req.Msg.GetPath()), string(req.Msg.GetQuery()), limit(req.Msg.GetLimit()))
		if err != nil {
			return nil, err
		}
		return &protocol.SearchFilesResponse{Entries: entries(found.Entries), More: found.More}, nil
	})
}

// CreateDirectory makes a directory, and those above it.
func (s *Service) CreateDirectory(ctx context.Context, req *connect.Request[protocol.CreateDirectoryRequest]) (*connect.Response[protocol.CreateDirectoryResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.CreateDirectoryResponse, error) {
		name := string(req.Msg.GetPath())
		if err := tree.Mkdir(name, newDirectory, true); err != nil {
			return nil, err
		}
		e, err := tree.Stat(name, false)
		if err != nil {
			return nil, err
		}
		return &protocol.CreateDirectoryResponse{Entry: entry(e)}, nil
	})
}

// newDirectory is the mode of directories that users make.
const newDirectory fs.FileMode = 0o755

// RenameFiles gives names other places.
func (s *Service) RenameFiles(ctx context.Context, req *connect.Request[protocol.RenameFilesRequest]) (*connect.Response[protocol.RenameFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.RenameFilesResponse, error) {
		out, err := pairs(ctx, tree, req.Msg.GetFiles(), func(from, to string) error { return tree.Rename(from, to, false) })
		return &protocol.RenameFilesResponse{Entries: out}, err
	})
}

// CopyFiles copies files and directories.
func (s *Service) CopyFiles(ctx context.Context, req *connect.Request[protocol.CopyFilesRequest]) (*connect.Response[protocol.CopyFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.CopyFilesResponse, error) {
		out, err := pairs(ctx, tree, req.Msg.GetFiles(), func(from, to string) error { return tree.Copy(ctx, from, to) })
		return &protocol.CopyFilesResponse{Entries: out}, err
	})
}

// pairs does something with each pair and describes what came of it.
func pairs(ctx context.Context, tree *files.Tree, list []*protocol.FilePair, do func(from, to string) error) ([]*protocol.FileEntry, error) {
	var out []*protocol.FileEntry
	for _, p := range list {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := do(string(p.GetFrom()), string(p.GetTo())); err != nil {
			return nil, err
		}
		e, err := tree.Stat(string(p.GetTo()), false)
		if err != nil {
			return nil, err
		}
		out = append(out, entry(e))
	}
	return out, nil
}

// ChmodFiles changes permission bits.
func (s *Service) ChmodFiles(ctx context.Context, req *connect.Request[protocol.ChmodFilesRequest]) (*connect.Response[protocol.ChmodFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.ChmodFilesResponse, error) {
		answer := &protocol.ChmodFilesResponse{}
		for _, f := range req.Msg.GetFiles() {
			if err := tree.Chmod(string(f.GetPath()), fs.FileMode(f.GetMode()).Perm()); err != nil {
				return nil, err
			}
			e, err := tree.Stat(string(f.GetPath()), true)
			if err != nil {
				return nil, err
			}
			answer.Entries = append(answer.Entries, entry(e))
		}
		return answer, nil
	})
}

// DeleteFiles removes names and everything in them.
func (s *Service) DeleteFiles(ctx context.Context, req *connect.Request[protocol.DeleteFilesRequest]) (*connect.Response[protocol.DeleteFilesResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.DeleteFilesResponse, error) {
		for _, name := range req.Msg.GetPaths() {
			if err := tree.Delete(ctx, string(name)); err != nil {
				return nil, err
			}
		}
		return &protocol.DeleteFilesResponse{}, nil
	})
}

// limit is how many entries an answer has.
func limit(asked int32) int {
	if asked <= 0 || asked > maxEntries {
		return maxEntries
	}
	return int(asked)
}

// fail turns an error into one of the wire. A fault keeps its sentence; anything else is logged here and told without
// details.
func (s *Service) fail(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return connect.NewError(protocol.ConnectCode(f.Code), errors.New(f.Message))
	}
	if errors.Is(err, context.Canceled) {
		return connect.NewError(connect.CodeCanceled, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("The node did not get it done in time: try again."))
	}
	s.config.Logger.LogAttrs(ctx, slog.LevelError, "work with files failed", slog.Any("error", err))
	return connect.NewError(connect.CodeInternal, errors.New("The node could not do it: its agent's log says why."))
}
