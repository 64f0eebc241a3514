// Package plan works out the versioned migrations: it replays a directory of migrations on a scratch database and
// writes what is missing for the schema that ent declares. The generator command and the test that migrations are
// complete use it; the panel does not.
package plan

import (
	"context"
	"errors"
	"fmt"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"

	entmigrate "github.com/catalyst-panel/catalyst/ent/migrate"
)

// Diff replays the migrations in dir on scratch, an empty database of the dialect that they are for, and writes a new
// one under the name given for what the declared schema has beyond it. It reports whether there was anything.
func Diff(ctx context.Context, scratch dialect.Driver, dir, name string) (bool, error) {
	files, err := sqltool.NewGooseDir(dir)
	if err != nil {
		return false, fmt.Errorf("open migrations: %w", err)
	}
	m, err := schema.NewMigrate(scratch,
		schema.WithDir(files),
		schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDialect(scratch.Dialect()),
		schema.WithFormatter(sqltool.GooseFormatter),
		schema.WithDropColumn(true),
		schema.WithDropIndex(true),
		schema.WithErrNoPlan(true),
	)
	if err != nil {
		return false, fmt.Errorf("prepare the comparison: %w", err)
	}
	switch err := m.NamedDiff(ctx, name, entmigrate.Tables...); {
	case errors.Is(err, migrate.ErrNoPlan):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("compare the schema with its migrations: %w", err)
	}
	return true, nil
}
