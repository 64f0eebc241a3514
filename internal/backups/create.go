package backups

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxName is how long a name may be, in bytes.
	maxName = 128
	// maxPatterns and maxPattern bound what is ignored.
	maxPatterns, maxPattern = 200, 1024
	// maxWaiting is how many backups of a server may be under way.
	maxWaiting = 3
)

// CreateInput describes a new backup.
type CreateInput struct {
	ServerID string
	// Name is made of the time when it is nil.
	Name *string
	// Ignore has patterns, as in .gitignore, of what is left out.
	Ignore      []string
	Locked      *bool
	Compression *kind.BackupCompression
	// StorageID is where it is kept; the default storage, or else the node's own disk, when it is nil.
	StorageID *string
	// TaskRunID is the run of a task that makes it.
	TaskRunID *string
}

// Create begins a backup of a server. It needs backup.create. It fails with CONFLICT while the server is installed,
// restored or transferred, with QUOTA_EXCEEDED when locked backups fill the server's limit, and with NODE_OFFLINE.
func (s *Service) Create(ctx context.Context, in CreateInput) (*ent.Backup, error) {
	e := deed("backup.create", "", in.ServerID)
	if err := access.Check(ctx, s.Client, access.BackupCreate, access.On(in.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, in.ServerID) {
		return nil, fault.Missing("server")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	storage, err := s.choose(ctx, in.StorageID)
	if err != nil {
		return nil, err
	}
	var out *ent.Backup
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		sv, err := hold(ctx, t, in.ServerID)
		if err != nil {
			return err
		}
		if err := s.allowed(ctx, t, sv); err != nil {
			return err
		}
		create := t.Backup.Create().SetServerID(sv.ID).SetName(*in.Name).SetIgnorePatterns(in.Ignore).
			SetLocked(or(in.Locked, false)).SetCompression(or(in.Compression, kind.BackupCompressionZstd)).SetNillableTaskRunID(in.TaskRunID)
		if v := viewer.FromContext(ctx); v.UserID != "" {
			create.SetCreatedByID(v.UserID)
		}
		if storage != nil {
			create.SetStorageID(storage.ID)
		}
		row, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store backup: %w", err)
		}
		if row, err = t.Backup.UpdateOne(row).SetPath(place(storage, row)).Save(ctx); err != nil {
			return fmt.Errorf("store backup: %w", err)
		}
		e.TargetID, e.Details = row.ID, map[string]any{"name": row.Name}
		out = row.Unwrap()
		tx.AfterCommit(ctx, func(context.Context) { s.wake() })
		return nil
	})
	return out, err
}

// check checks the parts, and completes them.
func (in *CreateInput) check() error {
	name := "Backup of " + now().Format("2006-01-02 15:04:05") + " UTC"
	if in.Name != nil {
		var err error
		if name, err = text.Name("name", "the backup", *in.Name, maxName); err != nil {
			return err
		}
	}
	in.Name = &name
	if len(in.Ignore) > maxPatterns {
		return fault.Input("ignore", "Up to %d patterns can be ignored.", maxPatterns)
	}
	for i := range in.Ignore {
		if err := text.Line("ignore", &in.Ignore[i], maxPattern); err != nil {
			return err
		}
	}
	if in.Ignore == nil {
		in.Ignore = []string{}
	}
	return nil
}

// hold locks a server and reads it.
func hold(ctx context.Context, t *ent.Tx, serverID string) (*ent.Server, error) {
	// A write is the lock that both dialects know.
	held, err := t.Server.Update().Where(server.ID(serverID), server.DeletedAtIsNil()).SetUpdatedAt(now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock server: %w", err)
	}
	if held == 0 {
		return nil, fault.Missing("server")
	}
	sv, err := t.Server.Query().Where(server.ID(serverID)).WithNode().Only(viewer.System(ctx, nil, "read a locked server"))
	if err != nil {
		return nil, fmt.Errorf("read server: %w", err)
	}
	return sv, nil
}

// allowed refuses a backup that cannot be made now.
func (s *Service) allowed(ctx context.Context, t *ent.Tx, sv *ent.Server) error {
	switch {
	case sv.Suspended:
		return fault.New(fault.Conflict, "The server is suspended: an administrator must unsuspend it first.")
	case sv.State.Busy():
		return fault.New(fault.Conflict, "The server's files are being worked with: wait until its installation, transfer or restoration has ended.")
	case !sv.Edges.Node.Online:
		return fault.New(fault.NodeOffline, "The server's node is offline: try again when its agent is connected.")
	}
	rows, err := kept(ctx, t, sv.ID)
	if err != nil {
		return err
	}
	waiting, fixed, size := 0, 0, int64(0)
	for _, b := range rows {
		if b.State != kind.BackupStateCompleted {
			waiting++
		}
		if b.State != kind.BackupStateCompleted || b.Locked {
			fixed++
			size += or(b.Size, 0)
		}
	}
	switch {
	case waiting >= maxWaiting:
		return fault.New(fault.Conflict, "%d backups of the server are being made already: wait, or cancel one.", waiting)
	case sv.BackupLimit != nil && fixed >= *sv.BackupLimit:
		return fault.New(fault.QuotaExceeded, "The server may have %d backups, and none of those that it has can go: delete or unlock one.", *sv.BackupLimit)
	case sv.BackupBytesLimit != nil && size >= *sv.BackupBytesLimit:
		return fault.New(fault.QuotaExceeded, "The server's backups may have %d bytes together, and those that are locked fill that: delete or unlock one.", *sv.BackupBytesLimit)
	}
	return nil
}

// kept returns the backups of a server that take up room, or will, the newest first.
func kept(ctx context.Context, t *ent.Tx, serverID string) ([]*ent.Backup, error) {
	rows, err := t.Backup.Query().Where(backup.ServerID(serverID), backup.DeletedAtIsNil(),
		backup.StateIn(append([]kind.BackupState{kind.BackupStateCompleted}, unfinished...)...)).
		Order(ent.Desc(backup.FieldCreatedAt, backup.FieldID)).All(viewer.System(ctx, nil, "read a server's backups"))
	if err != nil {
		return nil, fmt.Errorf("read the server's backups: %w", err)
	}
	return rows, nil
}

// place is where an archive lies in its storage.
func place(storage *ent.BackupStorage, b *ent.Backup) string {
	name := b.ServerID + "/" + b.ID + ending(b.Compression)
	if storage != nil && storage.Config[configPrefix] != "" {
		return strings.Trim(storage.Config[configPrefix], "/") + "/" + name
	}
	return name
}

// ending is how the name of an archive ends.
func ending(c kind.BackupCompression) string {
	if c == kind.BackupCompressionGzip {
		return ".tar.gz"
	}
	return ".tar.zst"
}
