package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processesIn returns the processes whose working directory is dir or below it, also when it is deleted.
func processesIn(dir string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err != nil {
			continue
		}
		cwd = strings.TrimSuffix(cwd, " (deleted)")
		if (cwd == dir || strings.HasPrefix(cwd, dir+"/")) && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive reports whether a process runs, and is not merely waiting for its parent to take note of its end.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, ok := bytes.Cut(stat, []byte(") "))
	return ok && len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

// killAll kills processes at once.
func killAll(pids []int) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("kill process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}

// Alive reports whether a process runs.
func Alive(pid int) bool { return alive(pid) }

// ServerDir is the directory of a server below an agent's data directory.
func ServerDir(dataDir, serverID string) string {
	return filepath.Join(dataDir, "agent", "servers", serverID)
}

// Game returns the processes of a server's program, none when it does not run.
func Game(dataDir, serverID string) []int {
	return processesIn(filepath.Join(ServerDir(dataDir, serverID), "files"))
}

// Holders returns the processes that hold a server's program.
func Holders(dataDir, serverID string) []int {
	return processesIn(filepath.Join(ServerDir(dataDir, serverID), "run"))
}

// PSS returns the memory of a process in bytes, with its share of what it shares.
func PSS(pid int) (int64, error) {
	return memory(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// RSS returns the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	return memory(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// CPUTime returns the processor time that a process has used.
func CPUTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	// The name, in parentheses, may hold anything; the times are the 12th and 13th field after it.
	_, after, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(after)
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // USER_HZ is 100 on every Linux
}

func memory(path, key string) (int64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for s := bufio.NewScanner(bytes.NewReader(content)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 || fields[0] != key {
			continue
		}
		kb, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("read memory: %s has no %s", path, key)
}
