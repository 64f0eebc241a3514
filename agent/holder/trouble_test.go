package holder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/durable/fulldisk"
	"github.com/catalyst-panel/catalyst/agent/output"
)

// TestEndOnAFullDisk stores how a program ended where nothing else can be written any more.
func TestEndOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := fulldisk.Mount(t, "256k")
	if err := ReserveExit(filepath.Join(dir, ExitFile)); err != nil {
		t.Fatal(err)
	}
	fulldisk.Fill(t, dir)
	long := Exit{Run: 7, Code: 3, Unwritten: 9}
	for range 50 {
		long.LastLines = append(long.LastLines, strings.Repeat("x", 1000))
	}
	if err := StoreExit(filepath.Join(dir, ExitFile), long); err != nil {
		t.Fatal(err)
	}
	var got Exit
	if err := ReadFile(filepath.Join(dir, ExitFile), &got); err != nil || got.Run != 7 || got.Code != 3 || got.Unwritten != 9 {
		t.Errorf("read %+v, %v", got, err)
	}
}

// TestLinesOnAFullDisk counts what could not be written, says so when it can, and gives no number twice.
func TestLinesOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := fulldisk.Mount(t, "512k")
	log, err := output.OpenWriter(filepath.Join(dir, "console"), output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	limits := output.Limits{BurstLines: 1 << 30, BurstBytes: 1 << 40, LinesPerSecond: 1 << 30, BytesPerSecond: 1 << 40}
	r, err := newRecorder(log, Spec{Limits: limits}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	var splitter output.Splitter
	const total = 2000
	free := fulldisk.Fill(t, dir)
	for i := range total {
		r.output(output.Stdout, &splitter, fmt.Appendf(nil, "line %d %s\n", i, strings.Repeat("x", 500)), time.Now())
	}
	if r.unwritten == 0 || r.log.Unwritten() == 0 {
		t.Fatalf("%d lines unwritten, %d buffered", r.unwritten, r.log.Unwritten())
	}
	lost := r.unwritten
	free()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); r.retry(stop) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for left := uint64(1); left > 0; <-tick.C { // the program says nothing more
		r.mu.Lock()
		left = r.unwritten + r.log.Unwritten()
		r.mu.Unlock()
	}
	close(stop)
	<-done
	if _, unwritten, err := r.finish(); unwritten != 0 || err != nil {
		t.Errorf("at the end %d are unwritten, %v", unwritten, err)
	}
	reader, err := output.OpenReader(filepath.Join(dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	lines, missing, err := reader.ReadAfter(0, total*2, 1<<30)
	if err != nil || missing != 0 {
		t.Fatalf("%d are missing, %v", missing, err)
	}
	want := fmt.Sprintf("%d lines dropped: the node could not write them to its disk.", lost)
	if last := lines[len(lines)-1]; last.Text != want || uint64(len(lines)-1)+lost != total {
		t.Errorf("%d lines, the last one is %q, want %q", len(lines), last.Text, want)
	}
}

// TestLateInput does not write a line that nobody waits for any more.
func TestLateInput(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	s := &stdin{file: write, queue: make(chan input, 2)}
	answers := make(chan error, 1)
	late := Request{Input: new("too late"), TimeoutMS: 60_000, Deadline: monotonic()} // it waited long to be read
	s.offer(late, func(_ uint64, err error) { answers <- err })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); s.run(stop) }()
	if err := <-answers; !errors.Is(err, errStdinFull) {
		t.Errorf("answered with %v", err)
	}
	close(stop)
	<-done
}

// TestInputOnAFullDisk writes a line to the program whose record the disk does not take.
func TestInputOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := fulldisk.Mount(t, "512k")
	log, err := output.OpenWriter(filepath.Join(dir, "console"), output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRecorder(log, Spec{}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	free := fulldisk.Fill(t, dir)
	for err == nil {
		_, err = r.say(output.System, strings.Repeat("x", 4000), time.Now())
	}
	told := r.unwritten
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	s := &stdin{file: write, recorder: r, queue: make(chan input, 2)}
	type answer struct {
		seq uint64
		err error
	}
	answers := make(chan answer, 1)
	s.offer(Request{Input: new("stop")}, func(seq uint64, err error) { answers <- answer{seq, err} })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); s.run(stop) }()
	if got := <-answers; got.seq != 0 || got.err != nil || r.unwritten != told+1 {
		t.Errorf("answered with %+v, %d lines are unwritten after %d", got, r.unwritten, told)
	}
	close(stop)
	<-done
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(read); string(got) != "stop\n" || err != nil {
		t.Errorf("the program got %q, %v", got, err)
	}
	free()
	if _, unwritten, err := r.finish(); unwritten != 0 || err != nil {
		t.Errorf("at the end %d are unwritten, %v", unwritten, err)
	}
}

// TestExhausted tells what passes from what does not.
func TestExhausted(t *testing.T) {
	t.Parallel()
	if !exhausted(fmt.Errorf("accept: %w", syscall.EMFILE)) || exhausted(fmt.Errorf("accept: %w", os.ErrClosed)) || exhausted(nil) {
		t.Error("a lack of descriptors passes, the end of the listener does not")
	}
}
