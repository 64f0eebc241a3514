package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// patience is how long a call waits for the end of a work: most archives are made at once.
	patience = 3 * time.Second
	// maxRunning is how many works a server may have at a time, maxKept how many that have ended are remembered.
	maxRunning, maxKept = 4, 20
)

// Transfer is a long work with a server's files: an archive that is made or unpacked, or a file that is pulled.
type Transfer struct {
	ID       string                 `json:"id"`
	ServerID string                 `json:"serverId"`
	Kind     kind.FileWork          `json:"kind"`
	State    kind.FileTransferState `json:"state"`
	// Path is what is made.
	Path string `json:"path"`
	// BytesTotal is 0 when it is not known.
	BytesDone, BytesTotal int64
	// LeftOut counts what an archive had and could not be taken over.
	LeftOut int
	// Error is why it failed, for people.
	Error     *string    `json:"error,omitempty"`
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
}

// Progress is the part that is done, from 0 to 1.
func (t Transfer) Progress() float64 {
	switch {
	case t.State == kind.FileTransferCompleted:
		return 1
	case t.BytesTotal <= 0:
		return 0
	}
	return min(1, float64(t.BytesDone)/float64(t.BytesTotal))
}

// transferTopic carries transfers as they change, by server.
var transferTopic = bus.NewTopic[Transfer]("file-transfer")

// errCancelled ends a work that somebody has cancelled.
var errCancelled = fault.New(fault.Conflict, "The work was cancelled.")

// work is a transfer that is held here.
type work struct {
	mu     sync.Mutex
	now    Transfer
	failed error
	cancel context.CancelCauseFunc
	done   chan struct{}
}

func (w *work) snapshot() Transfer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// works are the transfers of this instance.
type works struct {
	mu      sync.Mutex
	closed  bool
	list    []*work // in the order of their start
	running sync.WaitGroup
}

// add begins to hold a work, and forgets old ones.
func (s *works) add(w *work) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fault.New(fault.NodeOffline, "The panel is shutting down: try again in a moment.")
	}
	running, ended := 0, 0
	for _, other := range s.list {
		t := other.snapshot()
		switch {
		case t.ServerID != w.now.ServerID:
		case t.State == kind.FileTransferRunning:
			running++
		default:
			ended++
		}
	}
	if running >= maxRunning {
		return fault.New(fault.Conflict, "The server's files are being worked with %d times already: wait, or cancel one.", running)
	}
	s.list = slices.DeleteFunc(s.list, func(other *work) bool {
		t := other.snapshot()
		if t.ServerID != w.now.ServerID || t.State == kind.FileTransferRunning || ended < maxKept {
			return false
		}
		ended--
		return true
	})
	s.list = append(s.list, w)
	s.running.Add(1)
	return nil
}

func (s *works) of(serverID string) []*work {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*work
	for _, w := range s.list {
		if w.now.ServerID == serverID { // it never changes
			out = append(out, w)
		}
	}
	return out
}

// Close cancels what is going on and waits for its end.
func (s *Service) Close() {
	s.works.mu.Lock()
	s.works.closed = true
	for _, w := range s.works.list {
		w.cancel(errCancelled)
	}
	s.works.mu.Unlock()
	s.works.running.Wait()
}

// progress is a node's word on a work.
type progress interface {
	Receive() bool
	Msg() *protocol.FileProgress
	Err() error
	Close() error
}

// begin starts a work for the viewer in ctx, whose right to write it needs until its end. It returns when that has come, or
// after a moment.
func (s *Service) begin(ctx context.Context, e audit.Entry, what kind.FileWork, path string, start func(context.Context) (progress, error)) (*Transfer, error) {
	w := &work{done: make(chan struct{}), now: Transfer{
		ID: rand.Text(), ServerID: e.ServerID, Kind: what, State: kind.FileTransferRunning, Path: "/" + clean(path), StartedAt: time.Now().UTC().Truncate(time.Microsecond),
	}}
	life, closeGate, err := s.Gate.Open(context.WithoutCancel(ctx), access.FileWrite, access.On(e.ServerID))
	if err != nil {
		return nil, err
	}
	life, w.cancel = context.WithCancelCause(life)
	if err := s.works.add(w); err != nil {
		w.cancel(nil)
		closeGate()
		return nil, err
	}
	go func() {
		defer s.works.running.Done()
		defer close(w.done)
		defer closeGate()
		defer w.cancel(nil)
		s.carryOut(life, w, e, start)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	t := w.snapshot()
	w.mu.Lock()
	defer w.mu.Unlock()
	return &t, w.failed
}

// carryOut follows a work to its end, and puts that on record.
func (s *Service) carryOut(ctx context.Context, w *work, e audit.Entry, start func(context.Context) (progress, error)) {
	s.tell(ctx, w)
	err := s.follow(ctx, w, start)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	err = s.record(ctx, e, err)
	w.mu.Lock()
	ended := time.Now().UTC().Truncate(time.Microsecond)
	w.now.EndedAt, w.failed = &ended, err
	switch {
	case err == nil:
		w.now.State = kind.FileTransferCompleted
	case errors.Is(err, errCancelled):
		w.now.State = kind.FileTransferCancelled
	default:
		w.now.State = kind.FileTransferFailed
		why := "Something went wrong: try again."
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Code != fault.Internal {
			why = f.Message
		} else {
			s.Logger.ErrorContext(ctx, "work with files failed", slog.Any("error", err))
		}
		w.now.Error = &why
	}
	w.mu.Unlock()
	s.tell(ctx, w)
}

func (s *Service) follow(ctx context.Context, w *work, start func(context.Context) (progress, error)) error {
	p, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	finished := false
	for p.Receive() {
		m := p.Msg()
		w.mu.Lock()
		w.now.BytesDone, w.now.BytesTotal, w.now.LeftOut = m.GetBytesDone(), m.GetBytesTotal(), int(m.GetLeftOut())
		w.mu.Unlock()
		finished = m.GetResult() != nil
		s.tell(ctx, w)
	}
	if err := p.Err(); err != nil {
		return err
	}
	if !finished {
		return fault.New(fault.NodeOffline, "The node's link ended before the work was done: nothing of it is left.")
	}
	return nil
}

// tell publishes how far a work is.
func (s *Service) tell(ctx context.Context, w *work) {
	t := w.snapshot()
	if err := transferTopic.Publish(ctx, s.Bus, t.ServerID, t); err != nil {
		s.Logger.WarnContext(ctx, "could not tell of work with files", slog.Any("error", err))
	}
}

// Transfers returns what goes on with a server's files, and what has ended lately. It needs file.read.
func (s *Service) Transfers(ctx context.Context, serverID string) ([]Transfer, error) {
	if err := access.Check(ctx, s.Client, access.FileRead, access.On(serverID)); err != nil {
		return nil, err
	}
	var out []Transfer
	for _, w := range s.works.of(serverID) {
		out = append(out, w.snapshot())
	}
	slices.Reverse(out)
	return out, nil
}

// FollowTransfers sends what goes on with a server's files: first how it is, then every change. It needs file.read and blocks
// until ctx ends, the right is lost, or send fails.
func (s *Service) FollowTransfers(ctx context.Context, serverID string, send func(Transfer) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.FileRead, access.On(serverID))
	if err != nil {
		return err
	}
	defer closeGate()
	sub, err := transferTopic.Subscribe(ctx, s.Bus, serverID, bus.Options{Buffer: 64, Policy: bus.Latest})
	if err != nil {
		return fmt.Errorf("follow work with files: %w", err)
	}
	defer sub.Close()
	for _, w := range s.works.of(serverID) {
		if t := w.snapshot(); t.State == kind.FileTransferRunning {
			if err := send(t); err != nil {
				return err
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case t, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			if err := send(t); err != nil {
				return err
			}
		}
	}
}

// CancelTransfer cancels a work, of which then nothing is left. It needs file.write. One that has ended stays as it is.
func (s *Service) CancelTransfer(ctx context.Context, serverID, id string) (*Transfer, error) {
	e := deed("file.cancel", serverID)
	if err := access.Check(ctx, s.Client, access.FileWrite, access.On(serverID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	for _, w := range s.works.of(serverID) {
		if w.now.ID != id {
			continue
		}
		w.cancel(errCancelled)
		select {
		case <-w.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		t := w.snapshot()
		return &t, nil
	}
	return nil, fault.Missing("transfer")
}

// stream makes a client's stream one of progress.
func stream(p *connect.ServerStreamForClient[protocol.FileProgress], err error) (progress, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
