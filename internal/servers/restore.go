package servers

import (
	"context"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// askedToRestore is the reason of RESTORING until the node has something to say.
const askedToRestore = "asked to restore"

// Backups knows how servers are restored. backups.Service is one.
type Backups interface {
	// Restoration is how a server's files are restored; nil when they are not.
	Restoration(ctx context.Context, sv *ent.Server) (*protocol.RestoreSpec, error)
	// Forget removes what a server that goes has elsewhere than on its node.
	Forget(ctx context.Context, serverID string) error
}

// Restore has a server's files restored from a backup of it. The caller has checked the right to, and that the backup is
// complete. It fails with CONFLICT while the server runs or is busy, and with NODE_OFFLINE.
func (s *Service) Restore(ctx context.Context, serverID, backupID string, truncate bool, paths []string) (*ent.Server, error) {
	e := deed("backup.restore", serverID)
	e.Details = map[string]any{"backupId": backupID}
	return s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		if sv.State.Alive() {
			return fault.New(fault.Conflict, "The server is %s: stop it first.", word(sv.State))
		}
		if err := startable(sv); err != nil {
			return err
		}
		if err := online(ctx, t, sv); err != nil {
			return err
		}
		if err := enter(u, sv, kind.ServerStateRestoring, askedToRestore); err != nil {
			return err
		}
		u.SetPower(kind.PowerStop).AddRestore(1).SetRestoreBackupID(backupID).SetRestoreTruncate(truncate).SetRestorePaths(paths).AddGeneration(1)
		s.deliver(ctx, sv)
		return nil
	})
}
