package spool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/spool"
)

func open(t *testing.T, config spool.Config) *spool.Spool {
	t.Helper()
	s, err := spool.Open(config)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func event(reason string) *protocol.EventsResponse {
	return &protocol.EventsResponse{Event: &protocol.EventsResponse_ServerState{ServerState: &protocol.Observed{Reason: reason}}}
}

func fill(t *testing.T, s *spool.Spool, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		seq, err := s.Append(event(fmt.Sprint("event ", i)), spool.Lazy)
		if err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
		if seq != uint64(i) {
			t.Fatalf("append %d: got seq %d", i, seq)
		}
	}
}

// list describes what a reader sees after a number, read in small steps.
func list(t *testing.T, s *spool.Spool, after uint64) []string {
	t.Helper()
	var out []string
	for {
		events, err := s.ReadAfter(after, 3, 1<<20)
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		if len(events) == 0 {
			return out
		}
		for _, e := range events {
			text := e.GetServerState().GetReason()
			if d := e.GetDropped(); d != nil {
				text = fmt.Sprint("dropped ", d.GetCount())
			}
			out = append(out, fmt.Sprintf("%d %s", e.GetSeq(), text))
			after = e.GetSeq()
		}
	}
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("%d event %d", i, i))
	}
	return out
}

func TestReplayAfterReopen(t *testing.T) {
	t.Parallel()
	config := spool.Config{Dir: t.TempDir(), SegmentBytes: 100}
	s := open(t, config)
	epoch := s.Epoch()
	fill(t, s, 1, 40)
	if diff := cmp.Diff(numbered(1, 40), list(t, s, 0)); diff != "" {
		t.Errorf("all events (-want +got):\n%s", diff)
	}
	if err := s.Ack(25); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	if s.Epoch() != epoch {
		t.Errorf("epoch changed from %s to %s", epoch, s.Epoch())
	}
	fill(t, s, 41, 45)
	if diff := cmp.Diff(numbered(26, 45), list(t, s, 25)); diff != "" {
		t.Errorf("unacknowledged events (-want +got):\n%s", diff)
	}
}

func TestAckOfEverythingKeepsNumbersAndFreesTheDisk(t *testing.T) {
	t.Parallel()
	config := spool.Config{Dir: t.TempDir(), SegmentBytes: 100}
	s := open(t, config)
	fill(t, s, 1, 50)
	if err := s.Ack(50); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(config.Dir, "*.events"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("%d segments are left, want 1", len(files))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	if got := list(t, s, 50); got != nil {
		t.Errorf("got %v after everything was acknowledged", got)
	}
	fill(t, s, 51, 51)
}

func TestTornTail(t *testing.T) {
	t.Parallel()
	for cut := int64(1); cut < 30; cut += 4 {
		config := spool.Config{Dir: t.TempDir()}
		s := open(t, config)
		fill(t, s, 1, 3)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(config.Dir, "*.events"))
		if err != nil || len(files) != 1 {
			t.Fatalf("segments: %v, %v", files, err)
		}
		info, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(files[0], info.Size()-cut); err != nil {
			t.Fatal(err)
		}
		s = open(t, config)
		kept := int(s.Last())
		if kept > 2 || kept < 1 {
			t.Fatalf("cut of %d bytes: %d events kept", cut, kept)
		}
		fill(t, s, kept+1, kept+2)
		if diff := cmp.Diff(numbered(1, kept+2), list(t, s, 0)); diff != "" {
			t.Errorf("cut of %d bytes (-want +got):\n%s", cut, diff)
		}
	}
}

func TestFullSpoolDropsTheOldestAndSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 100, MaxBytes: 500})
	fill(t, s, 1, 100)
	got := list(t, s, 0)
	var count uint64
	if _, err := fmt.Sscanf(got[0], "%d dropped", new(uint64)); err != nil {
		t.Fatalf("first event is %q, want a dropped one", got[0])
	}
	if _, err := fmt.Sscanf(got[0], "%d dropped %d", new(uint64), &count); err != nil || count == 0 {
		t.Fatalf("first event is %q: %v", got[0], err)
	}
	if diff := cmp.Diff(numbered(int(count)+1, 100), got[1:]); diff != "" {
		t.Errorf("events that are left (-want +got):\n%s", diff)
	}
	// A reader that saw part of what was dropped is told about the rest only.
	if got, want := list(t, s, 10)[0], fmt.Sprintf("%d dropped %d", count, count-10); got != want {
		t.Errorf("after 10: got %q, want %q", got, want)
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 100, MaxBytes: 500})
	fill(t, s, 1, 3)
	if err := s.Ack(2); err != nil {
		t.Fatal(err)
	}
	if got := s.Backlog(); got.Events != 1 || got.Bytes == 0 || got.Dropped != 0 {
		t.Errorf("two of three are acknowledged: %+v", got)
	}
	fill(t, s, 4, 100)
	got := s.Backlog()
	if got.Events+got.Dropped != 98 || got.Dropped == 0 || got.Bytes > 500 {
		t.Errorf("98 events since the last acknowledged one: %+v", got)
	}
}

func TestAckBeyondTheEndMovesTheNumbers(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir()})
	fill(t, s, 1, 3)
	if err := s.Ack(10); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 11, 12)
	if diff := cmp.Diff(numbered(11, 12), list(t, s, 10)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSegmentsWithoutEpochAreForgotten(t *testing.T) {
	t.Parallel()
	config := spool.Config{Dir: t.TempDir()}
	s := open(t, config)
	old := s.Epoch()
	fill(t, s, 1, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(config.Dir, "epoch")); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	if s.Epoch() == old || s.Last() != 0 {
		t.Errorf("epoch %s (old %s), last %d", s.Epoch(), old, s.Last())
	}
}

// TestDamagedNames begins anew where a file is left whose content no panel would take for an epoch, and does not believe
// a segment that would leave no numbers.
func TestDamagedNames(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"no text": "\xff\xfe\n", "zeros": strings.Repeat("\x00", 26), "too long": strings.Repeat("x", 65)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range map[string]string{"epoch": content, "18446744073709551615.events": ""} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, spool.Config{Dir: dir})
			if _, err := proto.Marshal(&protocol.HelloResponse{EventEpoch: s.Epoch()}); err != nil || len(s.Epoch()) != 26 {
				t.Errorf("the epoch is %q, %v", s.Epoch(), err)
			}
			fill(t, s, 1, 2)
		})
	}
}

func TestChangedWakesAReader(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir()})
	changed := s.Changed()
	select {
	case <-changed:
		t.Fatal("woken without an event")
	default:
	}
	fill(t, s, 1, 1)
	<-changed
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00\x08\x01"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "epoch"), []byte("E\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.events", 1)), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, spool.Config{Dir: dir})
		last := s.Last()
		if _, err := s.Append(event("next"), spool.Durable); err != nil {
			t.Fatal(err)
		}
		events, err := s.ReadAfter(0, 1<<20, 1<<30)
		if err != nil || uint64(len(events)) != last+1 {
			t.Fatalf("%d events, want %d: %v", len(events), last+1, err)
		}
	})
}
