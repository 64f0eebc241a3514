package handler

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	subscription = ast.Subscription
	// maxDocument is the longest document that is kept, maxDocuments the length of all that are kept together. What
	// they are parsed into takes some thirty times as much memory.
	maxDocument  = 16 << 10
	maxDocuments = 1 << 20
)

func onceFunc(f func()) func() { return sync.OnceFunc(f) }

func listOf(err *gqlerror.Error) gqlerror.List { return gqlerror.List{err} }

// documents keeps validated documents by their text.
type documents struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[string, *ast.QueryDocument]
	bytes int
}

func newDocuments() *documents {
	d := &documents{}
	// The size of the list is not what limits it; a document has at least three bytes.
	d.lru, _ = simplelru.NewLRU(maxDocuments/3, func(text string, _ *ast.QueryDocument) { d.bytes -= len(text) })
	return d
}

// Get implements graphql.Cache.
func (d *documents) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lru.Get(text)
}

// Add implements graphql.Cache.
func (d *documents) Add(_ context.Context, text string, doc *ast.QueryDocument) {
	if len(text) > maxDocument {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.lru.Contains(text) {
		d.bytes += len(text)
	}
	d.lru.Add(text, doc)
	for d.bytes > maxDocuments {
		d.lru.RemoveOldest()
	}
}

// counter limits how many operations a user starts, over whatever transport.
type counter struct {
	operations Limiter
	off        bool
}

var (
	_ graphql.HandlerExtension          = counter{}
	_ graphql.OperationParameterMutator = counter{}
)

// ExtensionName implements graphql.HandlerExtension.
func (counter) ExtensionName() string { return "Counter" }

// Validate implements graphql.HandlerExtension.
func (counter) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters counts one operation.
func (c counter) MutateOperationParameters(ctx context.Context, _ *graphql.RawParams) *gqlerror.Error {
	v := viewer.FromContext(ctx)
	if c.off || c.operations == nil || v == nil {
		return nil
	}
	wait, ok := c.operations.Allow("user:" + v.UserID)
	if ok {
		return nil
	}
	f := fault.Limited(wait, "Too many requests. Wait %d seconds.", int(wait.Seconds())+1)
	return &gqlerror.Error{Err: f, Message: f.Message, Extensions: map[string]any{"code": string(f.Code)}}
}
