package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Outbox is something that must still be done after its transaction, whatever crashes.
type Outbox struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Outbox) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixOutbox}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (Outbox) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("Something that must be done after its transaction has been committed, whatever crashes."),
	}
}

// Fields returns the columns.
func (Outbox) Fields() []ent.Field {
	return []ent.Field{
		field.String("topic").NotEmpty().MaxLen(128).Immutable().
			Comment("What has to be done."),
		field.JSON("payload", json.RawMessage{}).Immutable().
			Comment("What it has to be done with."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How often it was tried."),
		field.Time("available_at").Default(now).
			Comment("When it may be tried next."),
		field.Time("done_at").Optional().Nillable().
			Comment("When it was done."),
		field.Text("last_error").Optional().Nillable().MaxLen(4096).
			Comment("Why the last try failed."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Outbox) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("done_at", "available_at"),
		index.Fields("topic"),
	}
}
