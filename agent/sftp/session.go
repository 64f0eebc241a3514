package sftp

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol/denial"
)

const (
	// maxPacket is the most data that one answer carries: OpenSSH's clients ask for up to 255 KiB at once.
	maxPacket = 261120
	// maxHandles is how many files and directories a session may have open.
	maxHandles = 256
	// tellEvery is how often it is told what a session has changed.
	tellEvery = 10 * time.Second
)

// Rights are what a session may do.
type Rights struct{ Read, Write, Delete bool }

// Session is one client's.
type Session struct {
	Tree   *files.Tree
	Rights Rights
	// Denied are files that it may not touch.
	Denied denial.List
	// Tell takes what was changed, in the order of the first change. It is called by one goroutine at a time.
	Tell func(ctx context.Context, deeds []Deed, more uint64)
}

// Serve answers a client until it has ended or the context has. The stream is closed then, and everything told. An error is
// the stream's.
func Serve(ctx context.Context, stream io.ReadWriteCloser, s Session) error {
	h := &handlers{ctx: ctx, session: s, log: newLog()}
	server := sftp.NewRequestServer(stream, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h},
		sftp.WithRSAllocator(), sftp.WithRSMaxTxPacket(maxPacket))
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		h.log.tell(context.WithoutCancel(ctx), done, s.Tell)
	}()
	err := server.Serve()
	_ = server.Close() // the stream may have been cut off by the other side
	close(done)
	<-told
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil {
		return nil // the client has gone, or was sent away
	}
	return err
}

// handlers are the operations of one session.
type handlers struct {
	ctx     context.Context //nolint:containedctx // the session's: packets have none
	session Session
	log     *log
	open    atomic.Int64
}

// The rights that operations need.
func (h *handlers) mayRead() error   { return need(h.session.Rights.Read) }
func (h *handlers) mayWrite() error  { return need(h.session.Rights.Write) }
func (h *handlers) mayDelete() error { return need(h.session.Rights.Delete) }

func need(right bool) error {
	if right {
		return nil
	}
	return &status{"You lack the permission for that here.", sftp.ErrSSHFxPermissionDenied}
}

// enter counts one more open file or directory.
func (h *handlers) enter() error {
	if h.open.Add(1) > maxHandles {
		h.open.Add(-1)
		return &status{"Too many files are open: close some first.", sftp.ErrSSHFxFailure}
	}
	return nil
}

func (h *handlers) leave() { h.open.Add(-1) }
