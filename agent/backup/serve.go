package backup

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxRequest bounds one message of the panel, in bytes: a thousand addresses fit.
const maxRequest = 4 << 20

// Service answers the panel's calls.
type Service struct {
	keeper    *Keeper
	receivers sync.WaitGroup
}

var _ protocol.BackupServiceHandler = (*Service)(nil)

// NewService returns a service.
func NewService(k *Keeper) *Service { return &Service{keeper: k} }

// Register makes the service answer on a mux.
func (s *Service) Register(mux *http.ServeMux) {
	mux.Handle(protocol.NewBackupServiceHandler(s, connect.WithReadMaxBytes(maxRequest), connect.WithCompression("gzip", nil, nil)))
	mux.HandleFunc("GET "+protocol.BackupPath, s.archive)
}

// Wait returns when nothing of the streams that have ended is left. It is called after the last link has ended.
func (s *Service) Wait() { s.receivers.Wait() }

// MakeBackup begins a backup, or follows one.
func (s *Service) MakeBackup(ctx context.Context, stream *connect.BidiStream[protocol.MakeBackupRequest, protocol.BackupProgress]) error {
	first, err := stream.Receive()
	if err != nil {
		return err
	}
	j, err := s.keeper.make(first.GetSpec()) //nolint:contextcheck // the backup goes on without this call
	if err != nil {
		return s.fail(ctx, err)
	}
	j.grants.add(first.GetParts())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The receiver ends with the stream, which ends with this method.
	s.receivers.Go(func() {
		defer cancel()
		for {
			more, err := stream.Receive()
			if err != nil {
				if errors.Is(err, io.EOF) {
					<-ctx.Done() // the panel has nothing more to say, but listens
				}
				return
			}
			j.grants.add(more.GetParts())
		}
	})
	return s.follow(ctx, j, stream)
}

// follow sends each step until the last.
func (s *Service) follow(ctx context.Context, j *job, stream *connect.BidiStream[protocol.MakeBackupRequest, protocol.BackupProgress]) error {
	for {
		state, changed := j.state()
		if err := stream.Send(state); err != nil || final(state.GetStage()) {
			return err
		}
		select {
		case <-changed:
		case <-j.done:
			if last, _ := j.state(); !final(last.GetStage()) {
				return s.fail(ctx, errClosing)
			}
		case <-ctx.Done():
			return s.fail(ctx, context.Cause(ctx))
		}
	}
}

// CancelBackup ends a backup.
func (s *Service) CancelBackup(ctx context.Context, req *connect.Request[protocol.CancelBackupRequest]) (*connect.Response[protocol.CancelBackupResponse], error) {
	if err := s.keeper.Cancel(ctx, req.Msg.GetBackupId()); err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.CancelBackupResponse{}), nil
}

// RemoveBackup removes a backup.
func (s *Service) RemoveBackup(ctx context.Context, req *connect.Request[protocol.RemoveBackupRequest]) (*connect.Response[protocol.RemoveBackupResponse], error) {
	if err := s.keeper.Remove(ctx, req.Msg.GetServerId(), req.Msg.GetBackupId()); err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.RemoveBackupResponse{}), nil
}

// archive sends an archive.
func (s *Service) archive(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, err := s.keeper.open(q.Get("server"), q.Get("backup"), q.Has("gzip"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+q.Get("backup")+`"`) // an archive never changes
	http.ServeContent(w, r, "", info.ModTime().Truncate(time.Second), f)
}

// refuse answers an error as the contents of files do.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !protocol.Refuse(w, err) {
		s.keeper.config.Logger.LogAttrs(r.Context(), slog.LevelError, "an archive is not sent", slog.Any("error", err))
	}
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
	s.keeper.config.Logger.LogAttrs(ctx, slog.LevelError, "call about a backup failed", slog.Any("error", err))
	return connect.NewError(connect.CodeInternal, errors.New("The node could not do it: its agent's log says why."))
}
