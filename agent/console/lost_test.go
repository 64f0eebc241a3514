package console_test

import (
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
