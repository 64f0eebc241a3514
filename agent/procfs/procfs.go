package procfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc. It is 100 Hz on every architecture that Go runs Linux on.
const tick = time.Second / 100

// Process is one line of /proc/<pid>/stat, as far as it is needed.
type Process struct {
	// PID, Parent, Group and Session are the process's numbers.
	PID, Parent, Group, Session int
	// Zombie is set when it has ended and only waits for its parent to notice.
	Zombie bool
	// CPU is the time it has spent, ChildCPU that of its children that ended and were waited for.
	CPU, ChildCPU time.Duration
	// Memory is the resident memory in bytes.
	Memory int64
}

// All lists the processes that can be seen.
func All() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list proc: %w", err)
	}
	var (
		all  []Process
		page = int64(os.Getpagesize())
	)
	for _, name := range names {
		if name[0] < '1' || name[0] > '9' {
			continue
		}
		if b, err := os.ReadFile("/proc/" + name + "/stat"); err == nil {
			if p, ok := parse(string(b), page); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// parse reads a stat line. The second field is the program's name in parentheses and may itself hold anything.
func parse(line string, page int64) (Process, bool) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return Process{}, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	fields := strings.Fields(line[end+1:])
	// Fields are numbered from 3 (state) on; 24 is the resident memory in pages.
	if err != nil || len(fields) < 22 {
		return Process{}, false
	}
	num := func(field int) int64 {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return n
	}
	return Process{
		PID:      pid,
		Parent:   int(num(4)),
		Group:    int(num(5)),
		Session:  int(num(6)),
		Zombie:   fields[0] == "Z" || fields[0] == "X",
		CPU:      time.Duration(num(14)+num(15)) * tick,
		ChildCPU: time.Duration(num(16)+num(17)) * tick,
		Memory:   num(24) * page,
	}, true
}

// Below returns the descendants of root, without root.
func Below(all []Process, root int) []Process {
	children := make(map[int][]Process, len(all))
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
	}
	var found []Process
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		found = append(found, children[queue[0]]...)
		for _, p := range children[queue[0]] {
			queue = append(queue, p.PID)
		}
	}
	return found
}

// HasEnv reports whether the process was started with the entry (KEY=value) in its environment.
func HasEnv(pid int, entry string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for e := range bytes.SplitSeq(b, []byte{0}) {
		if string(e) == entry {
			return true
		}
	}
	return false
}

// Network counts the bytes that have been received and sent over the interfaces of the process's network, the loopback one
// apart; 0 when it has ended.
func Network(pid int) (rx, tx int64) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/net/dev")
	if err != nil {
		return 0, 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		name, counters, ok := strings.Cut(line, ":")
		fields := strings.Fields(counters)
		// The received bytes are the first of sixteen counters, the sent ones the ninth.
		if !ok || strings.TrimSpace(name) == "lo" || len(fields) < 9 {
			continue
		}
		r, err1 := strconv.ParseInt(fields[0], 10, 64)
		t, err2 := strconv.ParseInt(fields[8], 10, 64)
		if err1 == nil && err2 == nil {
			rx, tx = rx+r, tx+t
		}
	}
	return rx, tx
}

// Catches reports whether the process has a handler of its own for the signal.
func Catches(pid, signal int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	_, rest, found := strings.Cut(string(b), "\nSigCgt:")
	if !found {
		return false
	}
	mask, _, _ := strings.Cut(rest, "\n")
	bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	return err == nil && bits&(1<<(signal-1)) != 0
}

// OOMKills counts the processes that the kernel has killed for want of memory since it started; 0 if it does not say.
func OOMKills() uint64 {
	b, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(b), "\noom_kill ")
	if !found {
		return 0
	}
	count, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseUint(count, 10, 64)
	return n
}
