package handler

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
)

const (
	// maxDocument is the longest document that is kept, maxDocuments the length of all that are kept together. What
	// they are parsed into takes some thirty times as much memory.
	maxDocument  = 16 << 10
	maxDocuments = 1 << 20
)

// cache keeps values while their sizes together stay below maxDocuments, those that were used last the longest.
type cache[V any] struct {
	size func(key string, value V) int

	mu    sync.Mutex
	lru   *simplelru.LRU[string, V]
	bytes int
}

var (
	_ graphql.Cache[*ast.QueryDocument] = (*cache[*ast.QueryDocument])(nil)
	_ graphql.Cache[string]             = (*cache[string])(nil)
)

func newCache[V any](size func(key string, value V) int) *cache[V] {
	c := &cache[V]{size: size}
	// The number of entries is not what limits it; a document has at least three bytes.
	c.lru, _ = simplelru.NewLRU(maxDocuments/3, func(key string, value V) { c.bytes -= size(key, value) })
	return c
}

// newDocuments keeps validated documents by their text.
func newDocuments() *cache[*ast.QueryDocument] {
	return newCache(func(text string, _ *ast.QueryDocument) int { return len(text) })
}

// newTexts keeps the texts of persisted queries by their hashes.
func newTexts() *cache[string] { return newCache(func(_, text string) int { return len(text) }) }

// Get implements graphql.Cache.
func (c *cache[V]) Get(_ context.Context, key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(key)
}

// Add implements graphql.Cache.
func (c *cache[V]) Add(_ context.Context, key string, value V) {
	size := c.size(key, value)
	if size > maxDocument {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lru.Contains(key) {
		c.bytes += size
	}
	c.lru.Add(key, value)
	for c.bytes > maxDocuments {
		c.lru.RemoveOldest()
	}
}
