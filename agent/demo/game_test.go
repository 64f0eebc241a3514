package demo_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/demo"
)

// play runs the game in a bubble, gives it the commands at once, and returns what it printed until it ended.
func play(t *testing.T, lifetime time.Duration, commands ...string) (lines []string, code int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), lifetime)
		defer cancel()
		in := strings.NewReader(strings.Join(commands, "\n") + "\n")
		out, w := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for s := bufio.NewScanner(out); s.Scan(); {
				lines = append(lines, s.Text())
			}
		}()
		code = demo.Run(ctx, in, w)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return lines, code
}

func TestGame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		commands []string
		want     []string
		code     int
	}{
		{"stop", []string{"stop"}, []string{"ready", "bye"}, 0},
		{"say", []string{"say hello  world", "stop"}, []string{"ready", "you said: hello  world", "bye"}, 0},
		{"crash", []string{"crash 42"}, []string{"ready"}, 42},
		{"burst", []string{"burst 3", "stop"}, []string{"ready", "burst 1/3", "burst 2/3", "burst 3/3", "burst done 3", "bye"}, 0},
		{"unknown", []string{"fly away", "stop"}, []string{"ready", "unknown command: fly away", "bye"}, 0},
		{"usage", []string{"burst", "rate 1", "mem x", "crash", "stop"}, []string{"ready", "usage: burst N", "usage: rate N SECONDS", "usage: mem MB", "usage: crash CODE", "bye"}, 0},
		{"mem", []string{"mem 2", "mem 1", "stop"}, []string{"ready", "mem 2 MB held", "mem 3 MB held", "bye"}, 0},
		{"ticks after the input's end", nil, []string{"ready", "tick 1", "tick 2", "tick 3", "bye"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines, code := play(t, 3500*time.Millisecond, tt.commands...)
			if diff := cmp.Diff(tt.want, lines); diff != "" || code != tt.code {
				t.Errorf("exit code %d, want %d; lines (-want +got):\n%s", code, tt.code, diff)
			}
		})
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	lines, _ := play(t, 2500*time.Millisecond, "rate 500 2")
	var got []int
	last := int64(0)
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "rate" || fields[1] == "done" {
			continue
		}
		i, err := strconv.Atoi(fields[1])
		at, err2 := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || err2 != nil || at < last {
			t.Fatalf("line %q after %d", line, last)
		}
		got, last = append(got, i), at
	}
	if len(got) != 1000 || !slices.IsSorted(got) || got[0] != 1 {
		t.Errorf("%d lines, want 1 to 1000", len(got))
	}
	if !slices.Contains(lines, "rate done 1000") {
		t.Error("no end was told")
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.dat")
	lines, _ := play(t, time.Second, "write "+path+" 2", "write "+filepath.Join(path, "x")+" 1", "stop")
	if len(lines) < 3 || lines[1] != "wrote "+path+" 2 MB" || !strings.HasPrefix(lines[2], "write failed: ") {
		t.Errorf("lines: %q", lines)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 2<<20 {
		t.Errorf("file: %v, %v", info, err)
	}
}
