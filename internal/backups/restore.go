package backups

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxPaths is how many paths can be restored at once, maxPath how long one may be, in bytes.
const maxPaths, maxPath = 100, 4095

// RestoreInput says what is restored.
type RestoreInput struct {
	ID string
	// Truncate removes files that the backup does not have.
	Truncate *bool
	// Paths are what is restored; everything when there are none.
	Paths []string
}

// Restored is a server that is being restored, and the backup that it is restored from.
type Restored struct {
	Backup *ent.Backup
	Server *ent.Server
}

// Restore begins to put what a backup has into the place of its server's files. Nothing of them is touched before the archive
// was verified. It needs backup.restore, and fails with CONFLICT while the server runs or is busy, or a backup is being made.
func (s *Service) Restore(ctx context.Context, in RestoreInput) (*Restored, error) {
	row, e, err := s.find(ctx, "backup.restore", access.BackupRestore, in.ID)
	if err != nil {
		return nil, err
	}
	if row.State != kind.BackupStateCompleted {
		return nil, fault.New(fault.Conflict, "Only a backup that is complete can be restored.")
	}
	if len(in.Paths) > maxPaths {
		return nil, fault.Input("paths", "Up to %d paths can be restored at once.", maxPaths)
	}
	for _, p := range in.Paths {
		if p == "" || len(p) > maxPath {
			return nil, fault.Input("paths", "A path has 1 to %d bytes.", maxPath)
		}
	}
	if len(in.Paths) > 0 && or(in.Truncate, false) {
		return nil, fault.Input("truncate", "With paths, nothing but these is touched.")
	}
	busy, err := s.busy(ctx, row.ServerID)
	if err != nil {
		return nil, err
	}
	if busy > 0 {
		return nil, fault.New(fault.Conflict, "A backup of the server is being made: wait, or cancel it.")
	}
	sv, err := s.Servers.Restore(ctx, e.ServerID, row.ID, or(in.Truncate, false), in.Paths)
	if err != nil {
		return nil, err
	}
	return &Restored{Backup: row, Server: sv}, nil
}

// Restoration is how a server's files are restored, as its node needs to know it; nil when they are not being restored.
func (s *Service) Restoration(ctx context.Context, sv *ent.Server) (*protocol.RestoreSpec, error) {
	if sv.State != kind.ServerStateRestoring || sv.RestoreBackupID == nil {
		return nil, nil //nolint:nilnil // it is not being restored
	}
	b, err := s.Client.Backup.Query().Where(backup.ID(*sv.RestoreBackupID), backup.ServerID(sv.ID)).WithStorage().
		Only(viewer.System(ctx, nil, "read the backup of a restoration"))
	if ent.IsNotFound(err) {
		return &protocol.RestoreSpec{BackupId: *sv.RestoreBackupID}, nil // the node finds that there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	spec := &protocol.RestoreSpec{
		BackupId: b.ID, Checksum: or(b.Checksum, ""), Size: or(b.Size, 0), Gzip: b.Compression == kind.BackupCompressionGzip,
		Truncate: sv.RestoreTruncate,
	}
	for _, p := range sv.RestorePaths {
		spec.Paths = append(spec.Paths, []byte(p))
	}
	if storage := b.Edges.Storage; storage != nil && storage.Type == kind.StorageTypeS3 {
		if spec.Url, err = s.archiveAddress(ctx, storage, b, archiveLife); err != nil {
			return nil, err
		}
	}
	return spec, nil
}
