package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// EnrolmentToken is a one-time token by which a node's agent enrols.
type EnrolmentToken struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (EnrolmentToken) Mixin() []ent.Mixin {
	return []ent.Mixin{Entity{Prefix: kind.PrefixEnrolmentToken}}
}

// Annotations describes the entity and lists it.
func (EnrolmentToken) Annotations() []schema.Annotation {
	return append(connected("enrolmentTokens", "The enrolment tokens that the viewer may see."),
		schema.Comment("A one-time token by which a node's agent enrols. The token itself is shown only when it is made."))
}

// Fields returns the columns.
func (EnrolmentToken) Fields() []ent.Field {
	return []ent.Field{
		field.String("node_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the node."),
		field.String("token_hash").Unique().NotEmpty().Immutable().Sensitive().Annotations(hidden()).
			Comment("Hash of the token."),
		field.Time("expires_at").
			Comment("When the token ends."),
		field.Time("used_at").Optional().Nillable().
			Comment("When the token was used."),
	}
}

// Edges returns the relations.
func (EnrolmentToken) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("node", Node.Type).Ref("enrolment_tokens").Field("node_id").Unique().Required().Immutable().
			Comment("Node that may enrol."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (EnrolmentToken) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("node_id"),
		index.Fields("expires_at"),
	}
}
