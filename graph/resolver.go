package graph

import (
	"context"
	"maps"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/internal/exec"
	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/administration"
	"github.com/catalyst-panel/catalyst/internal/alerts"
	"github.com/catalyst-panel/catalyst/internal/backups"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/schedules"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/webhooks"
)

// Config is what the resolvers call. Every field is needed.
type Config struct {
	Client    *ent.Client
	Alerts    *alerts.Service
	Admin     *administration.Service
	Webhooks  *webhooks.Service
	Schedules *schedules.Service
	Backups   *backups.Service
	Changes   *changes.Feed
	Accounts  *accounts.Service
	Servers   *servers.Service
	Nodes     *nodes.Service
	Templates *templates.Service
	Console   *console.Service
	Files     *files.Service
	Metrics   *metrics.Service
	// Streams runs the subscriptions' producers.
	Streams *stream.Runner
}

// Resolver is the root of the resolvers.
type Resolver struct{ Config }

// NewSchema returns the executable schema. It has no @defer, whose null placeholders break the types of clients.
func NewSchema(cfg Config) graphql.ExecutableSchema {
	root := &Resolver{cfg}
	resolvers := exec.Config{Resolvers: root}
	schema := *exec.NewExecutableSchema(resolvers).Schema() // shared by all; what changes is copied
	schema.Directives = maps.Clone(schema.Directives)
	delete(schema.Directives, "defer")
	// The generator of the entities' schema gives Query no description.
	query := *schema.Query
	query.Description = "Everything that can be read. What the caller may not see is as if it were not there."
	schema.Query, schema.Types = &query, maps.Clone(schema.Types)
	schema.Types[query.Name] = &query
	resolvers.Schema = &schema
	return batching{exec.NewExecutableSchema(resolvers), &root.Config}
}

// query is a query of one kind of entity.
type query[E any] interface {
	Only(ctx context.Context) (E, error)
}

// single runs a query for one entity. What does not exist and what may not be seen are the same.
func single[E any](ctx context.Context, what string, q query[E], err error) (E, error) {
	var none E
	if err != nil {
		return none, err
	}
	e, err := q.Only(ctx)
	if ent.IsNotFound(err) {
		return none, fault.Missing(what)
	}
	return e, err
}

// page reads the cursors of a connection. The guard has refused forged ones already.
func page[C any](after, before *string, read func(after, before *ent.Cursor) (C, error)) (C, error) {
	var none C
	a, err := cursor("after", after)
	if err != nil {
		return none, err
	}
	b, err := cursor("before", before)
	if err != nil {
		return none, err
	}
	return read(a, b)
}

func cursor(field string, text *string) (*ent.Cursor, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // no cursor, no error
	}
	c := new(ent.Cursor)
	if err := c.UnmarshalGQL(*text); err != nil {
		return nil, fault.Input(field, "This is no cursor of this list.").Wrap(err)
	}
	return c, nil
}

// unless returns what a nullable input field says: nil when it is absent, the given value when it is null.
func unless[T any](o graphql.Omittable[*T], null T) *T {
	v, given := o.ValueOK()
	if given && v == nil {
		return &null
	}
	return v
}

// changed returns what an input field changes: nil when it is absent, and what it is set to, which may be null.
func changed[T any](o graphql.Omittable[*T]) **T {
	v, given := o.ValueOK()
	if !given {
		return nil
	}
	return &v
}

// given returns the value of a field that cannot be cleared: null is refused.
func given[T any](field string, o graphql.Omittable[*T], refused *error) *T {
	v, ok := o.ValueOK()
	if ok && v == nil && *refused == nil {
		*refused = fault.Input(field, "This cannot be null. Leave it out to keep it as it is.")
	}
	return v
}

// passOn adds errors that came up apart, except that something is not there, which its null says.
func passOn(ctx context.Context, list gqlerror.List) {
	for _, err := range list {
		if err.Extensions["code"] != string(fault.NotFound) {
			graphql.AddError(ctx, err)
		}
	}
}
