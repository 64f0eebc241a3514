package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// lockDataDir keeps a second panel away from a data directory. Panels that share a NATS are one panel and may share its
// files; with a bus of its own each, two of them would tell their viewers only half of what happens.
func (p *panel) lockDataDir() error {
	if p.config.NATSURL != "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(p.config.DataDir, "panel.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, f.Close())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fault.New(fault.Conflict,
				"Another panel is using the data directory %s: stop it first, give this one another with --data-dir, or let both share a NATS server with --nats-url.",
				p.config.DataDir).Wrap(err)
		}
		return fmt.Errorf("lock the data directory: %w", err)
	}
	// Unlocked by hand: a process that is being started at this moment may have the descriptor, too.
	p.onClose(func(context.Context) error {
		return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
	})
	return nil
}
