package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// Defaults of Config.
const (
	DefaultMaxBytes     = 256 << 20
	DefaultSegmentBytes = 4 << 20
)

const (
	// maxEpoch is the longest name of an epoch, in bytes, and maxSeq the highest number of an event: panels take no others.
	maxEpoch = 64
	maxSeq   = 1 << 62
)

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("the event spool is closed")

// Config says where a spool lies and how large it may grow.
type Config struct {
	// Dir is the spool's own directory; it is created when it is missing.
	Dir string
	// MaxBytes bounds the spool on the disk; 0 takes DefaultMaxBytes.
	MaxBytes int64
	// SegmentBytes is the size after which a new segment begins; 0 takes DefaultSegmentBytes. At most this much is
	// dropped at once when the spool is full.
	SegmentBytes int64
}

// Durability says whether Append waits for the disk.
type Durability bool

// The values of Durability.
const (
	// Lazy events are written, and synced before they are read.
	Lazy Durability = false
	// Durable events are on the disk when Append returns.
	Durable Durability = true
)

// Spool is a durable queue of events; see the package comment for what it guarantees.
type Spool struct {
	config Config
	epoch  string

	mu       sync.Mutex
	segments []*segment // ordered by first, never empty
	file     *os.File   // the last segment, open for appending
	dirty    bool       // something was written and not synced
	changed  chan struct{}
	closed   bool
	cursor   cursor
	// acked is the last event that is stored elsewhere, as far as this process was told.
	acked   uint64
	dropped uint64
}

// Backlog is what a spool holds for a panel that is away.
type Backlog struct {
	// Events are not acknowledged; after a restart those count too that the panel has not acknowledged again.
	Events uint64
	// Bytes is the size on the disk, where what was acknowledged stays for a while.
	Bytes int64
	// Dropped events made room for newer ones since Open.
	Dropped uint64
}

// Backlog returns what waits now.
func (s *Spool) Backlog() Backlog {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := Backlog{Dropped: s.dropped}
	for _, seg := range s.segments {
		b.Bytes += seg.size
	}
	if len(s.segments) > 0 {
		b.Events = s.last().next() - 1 - max(s.acked, s.segments[0].first-1)
	}
	return b
}

// Open opens the spool in a directory, or creates it. A torn end is cut off.
func Open(config Config) (*Spool, error) {
	if config.MaxBytes <= 0 {
		config.MaxBytes = DefaultMaxBytes
	}
	if config.SegmentBytes <= 0 {
		config.SegmentBytes = DefaultSegmentBytes
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create event spool: %w", err)
	}
	s := &Spool{config: config, changed: make(chan struct{})}
	if err := s.loadEpoch(); err != nil {
		return nil, err
	}
	if err := s.loadSegments(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Spool) loadEpoch() error {
	path := filepath.Join(s.config.Dir, "epoch")
	content, err := os.ReadFile(path)
	if epoch := strings.TrimSpace(string(content)); err == nil && isName(epoch) {
		s.epoch = epoch
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read spool epoch: %w", err)
	}
	// Segments without an epoch would be numbers without a meaning.
	if err := s.removeSegments(); err != nil {
		return err
	}
	s.epoch = rand.Text()
	if err := durable.WriteFile(path, []byte(s.epoch+"\n")); err != nil {
		return fmt.Errorf("write spool epoch: %w", err)
	}
	return nil
}

// isName reports whether a panel would take the text for an epoch. What a damaged file holds is none.
func isName(s string) bool {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	return s != "" && len(s) <= maxEpoch && !strings.ContainsFunc(s, unfit)
}

func (s *Spool) names() ([]uint64, error) {
	entries, err := os.ReadDir(s.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("list event spool: %w", err)
	}
	var firsts []uint64
	for _, entry := range entries {
		if first, ok := segmentFirst(entry.Name()); ok {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

func (s *Spool) removeSegments() error {
	firsts, err := s.names()
	if err != nil {
		return err
	}
	for _, first := range firsts {
		if err := os.Remove(segmentPath(s.config.Dir, first)); err != nil {
			return fmt.Errorf("remove orphaned segment: %w", err)
		}
	}
	return nil
}

func (s *Spool) loadSegments() error {
	firsts, err := s.names()
	if err != nil {
		return err
	}
	for _, first := range firsts {
		seg, err := scan(segmentPath(s.config.Dir, first), first)
		if err != nil {
			return err
		}
		s.segments = append(s.segments, seg)
	}
	if len(s.segments) == 0 {
		return s.begin(1)
	}
	last := s.segments[len(s.segments)-1]
	s.file, err = os.OpenFile(last.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	if err := s.file.Truncate(last.size); err != nil {
		return errors.Join(fmt.Errorf("cut off torn record: %w", err), s.file.Close())
	}
	s.dirty = true
	return nil
}

// begin makes a new last segment whose first event will be numbered first.
func (s *Spool) begin(first uint64) error {
	path := segmentPath(s.config.Dir, first)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	if err := durable.SyncDir(s.config.Dir); err != nil {
		return errors.Join(err, f.Close())
	}
	if s.file != nil {
		if err := errors.Join(s.sync(), s.file.Close()); err != nil {
			return errors.Join(fmt.Errorf("end segment: %w", err), f.Close())
		}
	}
	s.file = f
	s.segments = append(s.segments, &segment{path: path, first: first})
	return nil
}

// Epoch returns the random id of this spool.
func (s *Spool) Epoch() string { return s.epoch }

// Last returns the number of the newest event, or 0.
func (s *Spool) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last().next() - 1
}

func (s *Spool) last() *segment { return s.segments[len(s.segments)-1] }

// Changed returns a channel that is closed by the next Append. To wait without missing one, take it before ReadAfter.
func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Append numbers an event (it sets its Seq) and writes it. When the spool is full, the oldest events are dropped.
func (s *Spool) Append(event *protocol.EventsResponse, durability Durability) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	if s.last().size >= s.config.SegmentBytes {
		if err := s.begin(s.last().next()); err != nil {
			return 0, err
		}
	}
	last := s.last()
	event.Seq = last.next()
	record, err := encode(event)
	if err != nil {
		return 0, err
	}
	if err := s.makeRoom(int64(len(record))); err != nil {
		return 0, err
	}
	if _, err := s.file.Write(record); err != nil {
		// A partial record would hide everything written after it.
		return 0, errors.Join(fmt.Errorf("write event: %w", err), s.file.Truncate(last.size))
	}
	last.count++
	last.size += int64(len(record))
	s.dirty = true
	close(s.changed)
	s.changed = make(chan struct{})
	if durability == Durable {
		return event.GetSeq(), s.sync()
	}
	return event.GetSeq(), nil
}

// makeRoom removes the oldest segments until n more bytes fit.
func (s *Spool) makeRoom(n int64) error {
	total := n
	for _, seg := range s.segments {
		total += seg.size
	}
	for total > s.config.MaxBytes && len(s.segments) > 1 {
		total -= s.segments[0].size
		first := s.segments[0]
		if lost := first.next() - 1; lost > s.acked {
			s.dropped += lost - max(s.acked, first.first-1)
		}
		if err := s.removeFirst(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spool) removeFirst() error {
	if err := os.Remove(s.segments[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove segment: %w", err)
	}
	s.segments = s.segments[1:]
	return nil
}

// Ack says that every event up to and including seq is stored elsewhere. Segments that hold nothing else are removed.
// A number that was never given out means that this spool is older than what the panel has seen (it came from a backup
// of the disk): numbering then goes on behind it, so that nothing new is taken for something old.
func (s *Spool) Ack(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if seq > maxSeq {
		return fmt.Errorf("acknowledged event %d is out of range", seq)
	}
	if seq >= s.last().next() {
		if err := s.begin(seq + 1); err != nil {
			return err
		}
	} else if last := s.last(); seq == last.next()-1 && last.size >= s.config.SegmentBytes {
		if err := s.begin(last.next()); err != nil {
			return err
		}
	}
	s.acked = max(s.acked, seq)
	for len(s.segments) > 1 && s.segments[0].next() <= seq+1 {
		if err := s.removeFirst(); err != nil {
			return err
		}
	}
	return nil
}

// sync makes everything written last. The caller holds the mutex.
func (s *Spool) sync() error {
	if !s.dirty {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync events: %w", err)
	}
	s.dirty = false
	return nil
}

// Close syncs and closes the spool.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := errors.Join(s.sync(), s.file.Close()); err != nil {
		return fmt.Errorf("close event spool: %w", err)
	}
	return nil
}
