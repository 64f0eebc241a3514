package console_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

var epoch = time.UnixMicro(1_700_000_000_123_456)

func TestLogRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "console")
	r := openReader(t, dir)
	if lines, missing, err := r.ReadAfter(0, 10, 1000); len(lines) != 0 || missing != 0 || err != nil {
		t.Fatalf("ReadAfter before there is a log = %v, %d, %v", lines, missing, err)
	}
	w := openWriter(t, dir, console.Options{})
	want := []console.Line{
		{Seq: 1, At: epoch, Stream: kind.StreamStdout, Text: "hello"},
		{Seq: 2, At: epoch, Stream: kind.StreamStderr, Text: ""},
		{Seq: 3, At: epoch, Stream: kind.StreamSystem, Text: "dropped"},
		{Seq: 4, At: epoch, Stream: kind.StreamInput, Text: "say €"},
	}
	for _, line := range want {
		if seq, err := w.Append(line.Stream, line.Text, line.At); seq != line.Seq || err != nil {
			t.Fatalf("Append = %d, %v, want %d", seq, err, line.Seq)
		}
	}
	if lines, _, _ := r.ReadAfter(0, 10, 1000); len(lines) != 0 {
		t.Errorf("a reader saw %d lines before the flush", len(lines))
	}
	flush(t, w)
	got := read(t, r, 0, 10, 1000)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := read(t, r, 1, 2, 1000); len(got) != 2 || got[0].Seq != 2 {
		t.Errorf("ReadAfter(1) with two lines at most = %v", got)
	}
	if got := read(t, r, 0, 10, 1); len(got) != 1 {
		t.Errorf("one byte at most gave %d lines, want one all the same", len(got))
	}
	if got := read(t, r, 4, 10, 1000); len(got) != 0 {
		t.Errorf("ReadAfter(last) = %v", got)
	}
}

func TestWriterIsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openWriter(t, dir, console.Options{})
	if _, err := console.OpenWriter(dir, console.Options{}); !errors.Is(err, console.ErrLocked) {
		t.Fatalf("second writer: %v, want ErrLocked", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	openWriter(t, dir, console.Options{})
}

func TestSequenceGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 3 {
		w := openWriter(t, dir, console.Options{})
		if got, want := appendLines(t, w, 10), uint64(10*round+10); got != want {
			t.Errorf("last line of round %d is %d, want %d", round, got, want)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := console.LastSeq(dir); got != 30 || err != nil {
		t.Errorf("LastSeq = %d, %v, want 30", got, err)
	}
}

func TestTornTailIsRepaired(t *testing.T) {
	t.Parallel()
	for _, cut := range []int64{1, 7, 8, 9, 24, 25, 26} {
		t.Run(fmt.Sprintf("%d bytes cut", cut), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := openWriter(t, dir, console.Options{})
			appendLines(t, w, 3)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, dir, func(b []byte) []byte { return b[:int64(len(b))-cut] })
			if got, err := console.LastSeq(dir); got != 2 || err != nil {
				t.Errorf("LastSeq = %d, %v, want 2", got, err)
			}
			w = openWriter(t, dir, console.Options{})
			if seq, err := w.Append(kind.StreamStdout, "again", epoch); seq != 3 || err != nil {
				t.Errorf("Append after the repair = %d, %v, want 3", seq, err)
			}
			flush(t, w)
			if got := read(t, openReader(t, dir), 0, 10, 1000); len(got) != 3 || got[2].Text != "again" {
				t.Errorf("lines after the repair: %v", got)
			}
		})
	}
}

func TestDamageEndsTheSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openWriter(t, dir, console.Options{})
	appendLines(t, w, 3)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, dir, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	if got := read(t, openReader(t, dir), 0, 10, 1000); len(got) != 2 {
		t.Errorf("%d lines before the flipped bit, want 2", len(got))
	}
}

func TestRotationKeepsTheNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openWriter(t, dir, console.Options{SegmentBytes: 4 << 10, TotalBytes: 16 << 10})
	tail := openReader(t, dir)
	after := uint64(0)
	for range 200 {
		appendLines(t, w, 5)
		flush(t, w)
		for _, line := range read(t, tail, after, 1000, 1<<20) {
			if line.Seq != after+1 {
				t.Fatalf("tail got line %d after %d", line.Seq, after)
			}
			after = line.Seq
		}
	}
	if after != 1000 {
		t.Fatalf("tail ended at line %d, want 1000", after)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > 16<<10 || len(files) < 3 {
		t.Errorf("%d files with %d bytes, want at most 16 KiB in several", len(files), total)
	}

	lines, missing, err := openReader(t, dir).ReadAfter(10, 5000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if missing == 0 || lines[0].Seq != 11+missing || lines[len(lines)-1].Seq != 1000 {
		t.Errorf("lines %d–%d with %d missing", lines[0].Seq, lines[len(lines)-1].Seq, missing)
	}
	for i, line := range lines {
		if line.Seq != lines[0].Seq+uint64(i) {
			t.Fatalf("line %d follows line %d", line.Seq, lines[i-1].Seq)
		}
	}
}

func TestSlowReaderIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openWriter(t, dir, console.Options{SegmentBytes: 4 << 10, TotalBytes: 16 << 10})
	r := openReader(t, dir)
	appendLines(t, w, 10)
	flush(t, w)
	read(t, r, 0, 5, 1<<20)
	appendLines(t, w, 2000)
	flush(t, w)
	after, seen, lost := uint64(5), 0, uint64(0)
	for {
		lines, missing, err := r.ReadAfter(after, 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			break
		}
		if lines[0].Seq != after+1+missing {
			t.Fatalf("after %d came %d with %d missing", after, lines[0].Seq, missing)
		}
		after, seen, lost = lines[len(lines)-1].Seq, seen+len(lines), lost+missing
	}
	if after != 2010 || lost == 0 || uint64(seen)+lost != 2005 {
		t.Errorf("ended at %d with %d seen and %d missing, want 2010 and 2005 together", after, seen, lost)
	}
}

func FuzzReader(f *testing.F) {
	dir := f.TempDir()
	w, err := console.OpenWriter(dir, console.Options{})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, err := w.Append(kind.StreamStdout, strings.Repeat("x", i), epoch); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(firstSegment(f, dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.log", 1)), content, 0o600); err != nil {
			t.Fatal(err)
		}
		before := read(t, openReader(t, dir), 0, 1<<20, 1<<30)
		w := openWriter(t, dir, console.Options{})
		if seq, err := w.Append(kind.StreamStdout, "next", epoch); seq != uint64(len(before))+1 || err != nil {
			t.Fatalf("Append after %d lines = %d, %v", len(before), seq, err)
		}
		flush(t, w)
		if got := read(t, openReader(t, dir), 0, 1<<20, 1<<30); len(got) != len(before)+1 {
			t.Fatalf("%d lines after the repair, want %d", len(got), len(before)+1)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	w, err := console.OpenWriter(b.TempDir(), console.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Append(kind.StreamStdout, "a line of ordinary length, as games print them", epoch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func openWriter(t testing.TB, dir string, opts console.Options) *console.Writer {
	t.Helper()
	w, err := console.OpenWriter(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func openReader(t testing.TB, dir string) *console.Reader {
	t.Helper()
	r, err := console.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func read(t testing.TB, r *console.Reader, after uint64, maxLines, maxBytes int) []console.Line {
	t.Helper()
	lines, missing, err := r.ReadAfter(after, maxLines, maxBytes)
	if err != nil || missing != 0 {
		t.Fatalf("ReadAfter(%d): %d missing, %v", after, missing, err)
	}
	return lines
}

func appendLines(t testing.TB, w *console.Writer, n int) uint64 {
	t.Helper()
	for range n {
		if _, err := w.Append(kind.StreamStdout, fmt.Sprintf("line %d", w.LastSeq()+1), epoch); err != nil {
			t.Fatal(err)
		}
	}
	return w.LastSeq()
}

func flush(t testing.TB, w *console.Writer) {
	t.Helper()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func firstSegment(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments: %v, %v", files, err)
	}
	return files[0]
}

func damage(t testing.TB, dir string, change func([]byte) []byte) {
	t.Helper()
	path := firstSegment(t, dir)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}
