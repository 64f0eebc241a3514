// Package migrations holds the versioned migrations of both dialects. Files are only ever added: a migration that was
// released is never changed. Write new ones with the generator in ent/migrate/main.go.
package migrations

import "embed"

// SQLite and Postgres hold the migrations of one dialect each, under sqlite and postgres.
var (
	//go:embed sqlite/*.sql
	SQLite embed.FS
	//go:embed postgres/*.sql
	Postgres embed.FS
)
