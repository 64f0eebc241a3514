package handler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// persistedName is the extension by which clients name a query by its hash, as Apollo's clients do.
const persistedName = "persistedQuery"

// persisted lets clients send the SHA-256 of a query in place of a query that they have sent before. Only callers who
// have signed in make it remember something, or find anything.
type persisted struct{ texts graphql.Cache[string] }

var (
	_ graphql.HandlerExtension          = persisted{}
	_ graphql.OperationParameterMutator = persisted{}
)

// ExtensionName implements graphql.HandlerExtension.
func (persisted) ExtensionName() string { return "PersistedQueries" }

// Validate implements graphql.HandlerExtension.
func (persisted) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters puts the query in that the hash stands for, or remembers one that came with its hash.
func (p persisted) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	extension, ok := params.Extensions[persistedName].(map[string]any)
	if !ok {
		return nil
	}
	hash, _ := extension["sha256Hash"].(string)
	known := viewer.FromContext(ctx) != nil
	if params.Query == "" {
		text, found := p.texts.Get(ctx, hash)
		if !known || !found {
			return refused(fault.New(fault.PersistedQueryNotFound, "PersistedQueryNotFound")) // the words that clients look for
		}
		params.Query = text
		return nil
	}
	if sum := sha256.Sum256([]byte(params.Query)); hex.EncodeToString(sum[:]) != hash {
		return refused(fault.New(fault.BadRequest, "The hash of the persisted query is not the SHA-256 of the query in lower-case hexadecimal."))
	}
	if known {
		p.texts.Add(ctx, hash, params.Query)
	}
	return nil
}

// refused is a fault in the form that gqlgen wants, with its code in place.
func refused(f *fault.Error) *gqlerror.Error {
	return &gqlerror.Error{Err: f, Message: f.Message, Extensions: map[string]any{"code": string(f.Code)}}
}
