package store

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The roles that every installation has.
const (
	// RoleAdmin has every permission.
	RoleAdmin = "admin"
	// RoleUser has none: what its accounts may do comes from the servers they own or were let into.
	RoleUser = "user"
)

// Seed makes what every installation has, unless it is there already: the roles admin and user. Several processes may
// seed at once.
func (s *Store) Seed(ctx context.Context, log *slog.Logger) error {
	ctx = viewer.System(ctx, log, "seed the database")
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		for _, r := range []struct {
			name, description string
			permissions       []string
		}{
			{RoleAdmin, "Everything.", []string{access.Everything}},
			{RoleUser, "One's own servers, and those one was let into.", []string{}},
		} {
			err := t.Role.Create().
				SetName(r.name).SetDescription(r.description).SetPermissions(r.permissions).SetBuiltin(true).
				OnConflictColumns(role.FieldName).Ignore().
				Exec(ctx)
			if err != nil {
				return fmt.Errorf("make the role %s: %w", r.name, err)
			}
		}
		return nil
	})
}
