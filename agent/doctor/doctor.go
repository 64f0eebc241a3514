package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/cgroup"
	"github.com/catalyst-panel/catalyst/agent/network"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
)

// examineTime bounds one examination.
const examineTime = 15 * time.Second

// Finding is what one examination found.
type Finding struct {
	// What was looked at.
	What string
	// Problem is what is wrong; empty when nothing is. Remedy says what to do about it.
	Problem, Remedy string
	// Optional says that servers run without it.
	Optional bool
}

// Examine looks at everything that containers need. address is containerd's socket, dir where the servers are to be.
func Examine(ctx context.Context, address, dir string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	return []Finding{
		root(),
		kernel(),
		groups(),
		program("containerd-shim-runc-v2", "containerd's shim", "containerd"),
		program("runc", "runc", "runc"),
		daemon(ctx, address),
		plugins(),
		iptables(ctx, "iptables", false),
		iptables(ctx, "ip6tables", true),
		space(dir),
	}
}

// Report writes findings for a person, and fails when servers cannot run.
func Report(w io.Writer, findings []Finding) error {
	missing := 0
	for _, f := range findings {
		word := "ok     "
		switch {
		case f.Problem != "" && f.Optional:
			word = "note   "
		case f.Problem != "":
			word = "missing"
			missing++
		}
		line := word + "  " + f.What
		if f.Problem != "" {
			line += ": " + f.Problem + "\n         " + f.Remedy
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if missing > 0 {
		return errors.New("servers cannot run in containers on this machine yet: see what is missing above")
	}
	_, err := fmt.Fprintln(w, "Servers can run in containers on this machine.")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func root() Finding {
	f := Finding{What: "rights"}
	if os.Geteuid() != 0 {
		f.Problem, f.Remedy = "this is not root", "Run the agent (and this command) as root."
	}
	return f
}

// kernel looks for what the runtime asks of it.
func kernel() Finding {
	f := Finding{What: "kernel", Remedy: "Use Linux 5.3 or newer, with overlayfs and seccomp, as every distribution of today has it."}
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		f.Problem = "it has no process descriptors"
		return f
	}
	_ = unix.Close(fd)
	if b, err := os.ReadFile("/proc/self/status"); err == nil && !strings.Contains(string(b), "\nSeccomp:") {
		f.Problem = "it has no seccomp"
		return f
	}
	if b, err := os.ReadFile("/proc/filesystems"); err == nil && !strings.Contains(string(b), "overlay") {
		// It may come as a module with the first container.
		f.Problem, f.Optional = "overlayfs is not loaded", true
		f.Remedy = "Nothing, when the first server starts; else: modprobe overlay."
	}
	return f
}

func groups() Finding {
	f := Finding{What: "control groups"}
	var lacking []string
	need := map[string]string{"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "cgroup.procs"}
	if cgroup.Unified() {
		b, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
		for controller := range need {
			if err != nil || !strings.Contains(" "+strings.TrimSpace(string(b))+" ", " "+controller+" ") {
				lacking = append(lacking, controller)
			}
		}
	} else {
		for controller, file := range need {
			if !cgroup.Can(controller, file) {
				lacking = append(lacking, controller)
			}
		}
	}
	if len(lacking) > 0 {
		f.Problem = "the controllers " + strings.Join(lacking, ", ") + " are not there"
		f.Remedy = "Boot the kernel with cgroup_enable=memory, and without cgroup_disable."
	}
	return f
}

func program(name, what, pkg string) Finding {
	f := Finding{What: what}
	if _, err := exec.LookPath(name); err != nil {
		f.Problem, f.Remedy = name+" is not on the path", "On Debian and Ubuntu: apt-get install "+pkg
	}
	return f
}

func daemon(ctx context.Context, address string) Finding {
	f := Finding{What: "containerd at " + address}
	if err := containerd.Answers(ctx, address); err != nil {
		f.Problem = err.Error()
		f.Remedy = "On Debian and Ubuntu: apt-get install containerd && systemctl enable --now containerd; or name its socket with --containerd-address."
	}
	return f
}

func plugins() Finding {
	f := Finding{What: "CNI plugins"}
	if missing := network.MissingPlugins(network.PluginDirs()); len(missing) > 0 {
		f.Problem = strings.Join(missing, ", ") + " are in none of " + strings.Join(network.PluginDirs(), ", ")
		f.Remedy = "On Debian and Ubuntu: apt-get install containernetworking-plugins"
	}
	return f
}

func iptables(ctx context.Context, command string, optional bool) Finding {
	f := Finding{What: command, Optional: optional, Remedy: "On Debian and Ubuntu: apt-get install iptables"}
	if optional {
		f.Remedy = "Servers get no IPv6. " + f.Remedy
	}
	if _, err := exec.LookPath(command); err != nil {
		f.Problem = "it is not installed"
		return f
	}
	out, err := exec.CommandContext(ctx, command, "-w", "5", "-t", "nat", "-S", "POSTROUTING").CombinedOutput()
	if err != nil {
		f.Problem = "the kernel's address translation cannot be used: " + strings.TrimSpace(string(out))
		f.Remedy = "Run as root, on a kernel with netfilter and NAT."
	}
	return f
}

func space(dir string) Finding {
	f := Finding{What: "disk at " + dir, Optional: true}
	var st unix.Statfs_t
	// It need not exist yet: then it is about where it will be.
	for at := filepath.Clean(dir); unix.Statfs(at, &st) != nil && at != filepath.Dir(at); {
		at = filepath.Dir(at)
	}
	if free := st.Bavail * uint64(st.Bsize); free < 5<<30 {
		f.Problem = fmt.Sprintf("%d MiB are free", free>>20)
		f.Remedy = "Images and servers need more than that: make room, or choose another --data-dir."
	}
	return f
}
