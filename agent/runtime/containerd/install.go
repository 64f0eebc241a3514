package containerd

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

const (
	// installHome is where an installer has the server's files: what scripts of the ecosystem expect.
	installHome = "/mnt/server"
	// installDir is the part of the run directory that holds the script.
	installDir = "install"
)

// installerCapabilities are what package managers and archives need of root: to write anywhere in the container and to
// give files away. None reaches beyond it.
var installerCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETGID", "CAP_SETUID", "CAP_KILL",
}

// installer turns the plan into that of the server's installation: root of a file system that may be written to and is
// thrown away, with the server's files and the script.
func (p *plan) installer() error {
	p.mountAt, p.uid = installHome, 0
	dir := filepath.Join(p.run, installDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the installer's directory: %w", err)
	}
	name := path.Base(runtime.ScriptPath)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(p.spec.Server.GetInstall().GetScript()), 0o700); err != nil { //nolint:gosec // a script is executed
		return fmt.Errorf("write the installer's script: %w", err)
	}
	p.more = append(p.more, specs.Mount{
		Destination: path.Dir(runtime.ScriptPath), Type: "bind", Source: dir, Options: []string{"bind", "ro", "nosuid", "nodev"},
	})
	return nil
}

// installs reports whether the plan is that of an installation.
func (p *plan) installs() bool { return p.spec.Run == runtime.InstallRun }

// handOver gives a server what its installer has made.
func (r *Runtime) handOver(dir runtime.Dir) error {
	uid, err := r.users.of(dir.ServerID)
	if err != nil {
		return err
	}
	return own(attach.FilesDir(dir), uid)
}
