package console_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// TestLostLogGoesOnAfterWhatIsKnown keeps new lines from being taken for old ones by a panel that has the old ones.
func TestLostLogGoesOnAfterWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lines int
		after uint64
		want  uint64
	}{
		"all lost":      {0, 500, 501},
		"tail lost":     {3, 10, 11},
		"nothing lost":  {3, 3, 4},
		"panel is late": {3, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			appendAfter(t, dir, 0, tc.lines)
			if got := appendAfter(t, dir, tc.after, 1); got != tc.want {
				t.Fatalf("the next line has number %d, want %d", got, tc.want)
			}
			r, err := console.OpenReader(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			lines, missing, err := r.ReadAfter(tc.after, 10, 1<<20)
			if err != nil || missing != 0 || len(lines) == 0 || lines[len(lines)-1].Seq != tc.want {
				t.Fatalf("read %v, missing %d, err %v; want the line %d", lines, missing, err, tc.want)
			}
		})
	}
}

// appendAfter opens the log, appends n lines and returns the number of the last.
func appendAfter(t *testing.T, dir string, after uint64, n int) (last uint64) {
	t.Helper()
	w, err := console.OpenWriter(dir, console.Options{After: after})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if last, err = w.Append(kind.StreamSystem, "line", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return last
}

// TestPowerCut gives no number twice that a reader elsewhere may have, although its line is lost here.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := console.OpenWriter(dir, console.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if _, err := w.Append(kind.StreamStdout, "line", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	last := w.LastSeq()
	after := t.TempDir() // what is on the disk, but for the lines that never came there
	reservation, err := os.ReadFile(filepath.Join(dir, "reserved"))
	if err != nil {
		t.Fatal(err)
	}
	_, upto, _ := strings.Cut(strings.TrimSpace(string(reservation)), " ")
	if n, err := strconv.ParseUint(upto, 10, 64); err != nil || n < last || n > last+64<<10 {
		t.Fatalf("line %d was given, the reservation is %q", last, reservation)
	}
	appendAfter(t, after, 0, 3)
	if err := os.WriteFile(filepath.Join(after, "reserved"), []byte("another-boot "+upto), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := appendAfter(t, after, 0, 1); got <= last {
		t.Errorf("the number %d is given again", got)
	}

	// A writer that was killed has lost nothing, and one that was closed neither.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := appendAfter(t, dir, 0, 1); got != last+1 {
		t.Errorf("after a close the number is %d, want %d", got, last+1)
	}
	if err := os.WriteFile(filepath.Join(dir, "reserved"), reservation, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := appendAfter(t, dir, 0, 1); got != last+2 {
		t.Errorf("on the same boot the number is %d, want %d", got, last+2)
	}
}

// TestNonsensicalNumbers has the panel, a file's name and a reservation name numbers after which there would be no more.
func TestNonsensicalNumbers(t *testing.T) {
	t.Parallel()
	const nonsense = "18446744073709551615"
	for name, put := range map[string]string{"the panel's": "", "a segment's": nonsense + ".log", "a reservation": "reserved"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, before := range []int{0, 7} {
				dir := t.TempDir()
				if before > 0 {
					appendAfter(t, dir, 0, before)
				}
				after := uint64(1<<64 - 1)
				if put != "" {
					after = 0
					if err := os.WriteFile(filepath.Join(dir, put), []byte("another-boot "+nonsense), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := appendAfter(t, dir, after, 1), uint64(before)+1; got != want {
					t.Errorf("after %d lines the next one has number %d, want %d", before, got, want)
				}
			}
		})
	}
}
