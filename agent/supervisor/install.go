package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// defaultInstallTime bounds an installation whose template does not say how long it may take.
	defaultInstallTime = time.Hour
	// fetched is how far an installation is when its image is here; the rest is the script, which tells no progress.
	fetched = 0.5
)

// reinstall begins the wanted installation, after the program has been stopped.
func (a *actor) reinstall(ctx context.Context) {
	switch a.phase {
	case idle, waiting:
		a.install(ctx)
	case launching, up:
		a.stop(ctx, false)
	case ending, unsure, stray, restoring:
		// The end of the program comes back here.
	}
}

// install starts the installer: a run of another program over the server's files. An earlier agent may have begun it.
func (a *actor) install(ctx context.Context) {
	again := a.Install > 0
	a.Install, a.Installing, a.Active = a.WantedInstall, true, a.Spec
	a.Restarts, a.CrashCount = nil, 0
	spec := a.Active.orEmpty().GetInstall()
	if spec.GetScript() == "" {
		a.Installing = false
		a.setState(ctx, kind.ServerStateStopped, "") // there is nothing to install any more
		a.reconcile(ctx)
		return
	}
	a.begin(ctx, kind.ServerStateInstalling, "Installing")
	run := runtime.Spec{Dir: a.dir, Run: runtime.InstallRun, Server: runtime.Installer(a.Active.orEmpty())}
	a.launching(ctx, run, func(ctx context.Context) error {
		if !again || !spec.GetClear() {
			return nil
		}
		return a.wipe(ctx, spec.GetKeep())
	})
}

// wipe removes the server's files but those that the template keeps.
func (a *actor) wipe(ctx context.Context, keep []string) (err error) {
	tree, err := a.supervisor.store.Tree(a.id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	var gone []string
	err = tree.Walk(ctx, "", func(v *files.Visit) error {
		name, skip := strings.Trim(v.Path, "/"), error(nil)
		if v.Kind == files.Directory {
			skip = fs.SkipDir
		}
		switch {
		case name == "" || name == ".":
			return nil
		case kept(name, keep):
			return skip
		case v.Kind == files.Directory && leads(name, keep):
			return nil
		}
		gone = append(gone, name)
		return skip
	})
	for _, name := range gone {
		if err == nil {
			err = tree.Delete(ctx, name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return err
}

// kept reports whether a name is matched by a pattern.
func kept(name string, keep []string) bool {
	for _, pattern := range keep {
		if ok, err := path.Match(strings.Trim(pattern, "/"), name); ok && err == nil {
			return true
		}
	}
	return false
}

// leads reports whether something below a directory may be matched by a pattern.
func leads(dir string, keep []string) bool {
	depth := strings.Count(dir, "/") + 1
	for _, pattern := range keep {
		parts := strings.Split(strings.Trim(pattern, "/"), "/")
		if len(parts) <= depth {
			continue
		}
		if ok, err := path.Match(strings.Join(parts[:depth], "/"), dir); ok && err == nil {
			return true
		}
	}
	return false
}

// armInstallTimeout limits how long the installer may run. One that was adopted gets at least the time in which its
// instance tells that it has long ended.
func (a *actor) armInstallTimeout(atLeast time.Duration) {
	timeout := installTime(a.Active.orEmpty())
	a.alarm.Reset(max(atLeast, within(a.At.Add(timeout), timeout)))
}

func installTime(spec *protocol.ServerSpec) time.Duration {
	if ms := spec.GetInstall().GetTimeoutMs(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return defaultInstallTime
}

// installTooLong ends an installer whose time is over.
func (a *actor) installTooLong(ctx context.Context) {
	a.Failure = fmt.Sprintf("The installation did not end within %s.", installTime(a.Active.orEmpty()))
	a.say(ctx, a.Failure)
	a.stop(ctx, true)
}

// installed takes the end of the installer. A server whose installation failed is not started.
func (a *actor) installed(ctx context.Context, exit *runtime.Exit) {
	failure := a.Failure
	asked := a.State == kind.ServerStateStopping && failure == ""
	a.Installing, a.Failure = false, ""
	switch {
	case asked:
		a.dropWishes()
		a.say(ctx, "Installation stopped")
		a.setState(ctx, kind.ServerStateStopped, "The installation was stopped before its end: install the server again.")
		return
	case failure != "":
	case exit.OOMKilled:
		failure = "The installation ran out of memory."
	case exit.Lost && exit.Code < 0:
		failure = "The installation was cut off: install the server again."
	case exit.Code != 0:
		failure = fmt.Sprintf("The installation failed: its script exited with code %d.", exit.Code)
	default:
		a.say(ctx, "Installed")
		a.setState(ctx, kind.ServerStateStopped, "")
		return
	}
	a.dropWishes()
	a.LastLines = exit.LastLines
	a.say(ctx, failure)
	a.setState(ctx, kind.ServerStateError, failure)
}

// notInstalled takes that the installer could not be started, or is not to be any more.
func (a *actor) notInstalled(ctx context.Context, err error) {
	aborted := a.aborted
	a.Installing = false
	a.dropWishes()
	if aborted {
		a.say(ctx, "Installation stopped")
		a.setState(ctx, kind.ServerStateStopped, "The installation was stopped before its end: install the server again.")
		return
	}
	a.log.LogAttrs(ctx, slog.LevelWarn, "server cannot be installed", slog.Any("error", err))
	reason := reasonOf(err)
	a.say(ctx, "Could not be installed: "+reason)
	a.setState(ctx, kind.ServerStateError, reason)
}

// dropWishes forgets that the server is to be started: its files are not whole.
func (a *actor) dropWishes() { a.Run = max(a.Run, a.WantedRun) }

// progress tells the panel how far the installation is. It runs beside the actor.
func (a *actor) progress(ctx context.Context, fraction float64, message string) {
	err := a.supervisor.config.Progress(&protocol.InstallProgress{ServerId: a.id, Progress: fraction, Message: message})
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "the progress of an installation is not told", slog.Any("error", err))
	}
}
