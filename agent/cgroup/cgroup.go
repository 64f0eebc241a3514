package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mountpoint is where every distribution has its control groups.
const mountpoint = "/sys/fs/cgroup"

// Group is one control group. Its methods fail with fs.ErrNotExist when it is gone.
type Group struct{ path string }

// At names the group at a path that begins with a slash, the same in all hierarchies.
func At(path string) Group { return Group{path: path} }

// Unified reports whether the machine has version 2 alone.
func Unified() bool {
	_, err := os.Stat(filepath.Join(mountpoint, "cgroup.controllers"))
	return err == nil
}

// Can reports whether groups have a file of a controller: "memory.memsw.limit_in_bytes" of "memory" under version 1,
// "memory.swap.max" under version 2.
func Can(controller, file string) bool {
	patterns := []string{filepath.Join(mountpoint, controller, file), filepath.Join(mountpoint, controller, "*", file)}
	if Unified() {
		patterns = []string{filepath.Join(mountpoint, "*", file)} // the root group itself has no limits
	}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// Usage is one reading.
type Usage struct {
	// CPU is the time spent since the group was made.
	CPU time.Duration
	// Memory is the working set in bytes: without file pages that the kernel can drop at once.
	Memory int64
	// Processes counts processes and threads.
	Processes int
}

// Usage reads what the group uses.
func (g Group) Usage() (Usage, error) {
	if Unified() {
		return g.usage2()
	}
	return g.usage1()
}

func (g Group) usage1() (Usage, error) {
	cpu, err1 := readNumber(g.file("cpuacct", "cpuacct.usage"))
	memory, err2 := readNumber(g.file("memory", "memory.usage_in_bytes"))
	cache, err3 := readField(g.file("memory", "memory.stat"), "total_inactive_file")
	pids, err4 := readNumber(g.file("pids", "pids.current"))
	return Usage{CPU: time.Duration(cpu), Memory: max(0, memory-cache), Processes: int(pids)}, errors.Join(err1, err2, err3, err4)
}

func (g Group) usage2() (Usage, error) {
	cpu, err1 := readField(g.file("", "cpu.stat"), "usage_usec")
	memory, err2 := readNumber(g.file("", "memory.current"))
	cache, err3 := readField(g.file("", "memory.stat"), "inactive_file")
	pids, err4 := readNumber(g.file("", "pids.current"))
	return Usage{
		CPU: time.Duration(cpu) * time.Microsecond, Memory: max(0, memory-cache), Processes: int(pids),
	}, errors.Join(err1, err2, err3, err4)
}

// OOMKills counts the processes that the kernel has killed because the group's memory was used up.
func (g Group) OOMKills() (int64, error) {
	if Unified() {
		return readField(g.file("", "memory.events"), "oom_kill")
	}
	return readField(g.file("memory", "memory.oom_control"), "oom_kill")
}

// Processes lists the group's processes.
func (g Group) Processes() ([]int, error) {
	controller := "pids"
	if Unified() {
		controller = ""
	}
	b, err := os.ReadFile(g.file(controller, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for line := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Has reports whether the process is in the group.
func (g Group) Has(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return false
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if _, path, ok := strings.Cut(line, "::"); ok && Unified() && path == g.path {
			return true
		}
		if strings.HasSuffix(line, ":pids:"+g.path) {
			return true
		}
	}
	return false
}

// Unthrottle lifts the group's processor quota, so that its processes come to their ends: thousands that share a quota
// take long even to die. A group without a quota, or that is gone, is left as it is.
func (g Group) Unthrottle() {
	if Unified() {
		_ = os.WriteFile(filepath.Join(mountpoint, g.path, "cpu.max"), []byte("max"), 0) // there may be none
		return
	}
	_ = os.WriteFile(g.file("cpu", "cpu.cfs_quota_us"), []byte("-1"), 0) // as above
}

// Remove removes a group without processes from every hierarchy; one that is gone is no error.
func (g Group) Remove() error {
	hierarchies, err := filepath.Glob(filepath.Join(mountpoint, "*", g.path))
	if err != nil {
		return fmt.Errorf("find control group: %w", err)
	}
	var errs []error
	for _, dir := range append(hierarchies, filepath.Join(mountpoint, g.path)) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove control group: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (g Group) file(controller, name string) string {
	return filepath.Join(mountpoint, controller, g.path, name)
}

// readNumber reads a file that holds one number.
func readNumber(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read control group: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", filepath.Base(file), err)
	}
	return n, nil
}

// readField reads one line of a file of names and numbers; 0 when it has none of that name.
func readField(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read control group: %w", err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", filepath.Base(file), err)
			}
			return n, nil
		}
	}
	return 0, nil
}
