package graph

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/servers"
)

const (
	// gathering is how long the first of many waits for the others that want the same of other entities.
	gathering = 5 * time.Millisecond
	// maxBatch is a page's length, more than which seldom comes together.
	maxBatch = 100
)

// batches reads what is not a column for many entities at once: the nodes of a page are resolved each on its own. They
// belong to one operation, and so to one viewer, and remember nothing.
type batches struct {
	stats       *dataloader.Loader[string, *metrics.Stats]
	environment *dataloader.Loader[string, []kind.EnvVar]
	outdated    *dataloader.Loader[string, bool]
	prompt      *dataloader.Loader[string, *servers.Prompt]
	allocated   *dataloader.Loader[string, nodes.Allocated]
}

func newBatches(c *Config) *batches {
	return &batches{
		stats:       together(c.Metrics.Latest),
		environment: together(c.Servers.Environments),
		outdated:    together(c.Servers.Outdated),
		prompt:      together(c.Servers.Prompts),
		allocated:   together(c.Nodes.Allocated),
	}
}

// together returns the loader over a read of many, which leaves out what there is nothing of.
func together[V any](read func(ctx context.Context, ids []string) (map[string]V, error)) *dataloader.Loader[string, V] {
	many := func(ctx context.Context, ids []string) []*dataloader.Result[V] {
		found, err := read(ctx, ids)
		out := make([]*dataloader.Result[V], len(ids))
		for i, id := range ids {
			out[i] = &dataloader.Result[V]{Data: found[id], Error: err}
		}
		return out
	}
	return dataloader.NewBatchedLoader(many, dataloader.WithCache(&dataloader.NoCache[string, V]{}),
		dataloader.WithWait[string, V](gathering), dataloader.WithBatchCapacity[string, V](maxBatch))
}

type batchesKey struct{}

// batchesOf returns those of the operation in ctx.
func batchesOf(ctx context.Context) *batches {
	b, _ := ctx.Value(batchesKey{}).(*batches)
	return b
}

// batching gives every operation its batches.
type batching struct {
	graphql.ExecutableSchema
	config *Config
}

// Exec implements graphql.ExecutableSchema.
func (s batching) Exec(ctx context.Context) graphql.ResponseHandler {
	b := newBatches(s.config)
	respond := s.ExecutableSchema.Exec(context.WithValue(ctx, batchesKey{}, b))
	return func(ctx context.Context) *graphql.Response {
		return respond(context.WithValue(ctx, batchesKey{}, b))
	}
}
