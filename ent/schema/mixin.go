package schema

import (
	"time"

	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"entgo.io/ent/schema/mixin"

	"github.com/catalyst-panel/catalyst/ent/rule"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Entity is what every entity with an identity of its own has: a TypeID, time stamps and the visibility policy.
type Entity struct {
	mixin.Schema
	// Prefix is the first part of the TypeID.
	Prefix kind.Prefix
}

// Fields returns the identifier and the time stamps.
func (m Entity) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").
			DefaultFunc(func() string { return kind.NewID(m.Prefix) }).
			Immutable().NotEmpty().MaxLen(64).
			Comment("Opaque identifier, unique over all entities."),
		field.Time("created_at").
			Default(now).Immutable().
			Annotations(entgql.OrderField("CREATED_AT"), filterable()).
			Comment("When it was made."),
		field.Time("updated_at").
			Default(now).UpdateDefault(now).
			Comment("When it was last changed."),
	}
}

// Indexes returns the index that lists in order of creation use.
func (Entity) Indexes() []ent.Index {
	return []ent.Index{index.Fields("created_at")}
}

// Policy hides what the viewer may not see and refuses writes outside of a unit of work.
func (Entity) Policy() ent.Policy { return rule.Policy() }

// Series is what every append-only series has: an integer key and the visibility policy.
type Series struct {
	mixin.Schema
}

// Fields returns the integer key.
func (Series) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Comment("Key of the row, of no meaning outside of the table."),
	}
}

// Policy hides what the viewer may not see and refuses writes outside of a unit of work.
func (Series) Policy() ent.Policy { return rule.Policy() }

// now returns the current time in the precision that both databases keep.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
