package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// AuditLog is an entry of the audit trail.
type AuditLog struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (AuditLog) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixAuditLog}} }

// Annotations describes the entity and lists it.
func (AuditLog) Annotations() []schema.Annotation {
	return append(connected("auditLogs", "The entries of the audit trail that the viewer may see."),
		announced("auditLog"), schema.Comment("An entry of the audit trail: who did what to what, from where. Never changed."))
}

// Fields returns the columns. No field can be updated but the actor, which the database clears with the account.
func (AuditLog) Fields() []ent.Field {
	return []ent.Field{
		field.String("actor_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the account that acted."),
		field.String("actor_name").Default("").MaxLen(128).Immutable().Annotations(filterable()).
			Comment("Name of the account at the time; \"system\" for Catalyst itself."),
		field.String("action").NotEmpty().MaxLen(128).Immutable().
			Annotations(entgql.OrderField("ACTION"), filterable()).
			Comment("What was done, such as server.start."),
		field.String("target_type").Default("").MaxLen(64).Immutable().Annotations(filterable()).
			Comment("Kind of thing that it was done to."),
		field.String("target_id").Default("").MaxLen(128).Immutable().Annotations(filterable()).
			Comment("Identifier of the thing that it was done to. It may be gone."),
		field.String("server_id").Optional().Nillable().MaxLen(64).Immutable().Annotations(filterable()).
			Comment("Identifier of the server that it concerns, if it does. It may be gone."),
		field.String("ip").Default("").MaxLen(45).Immutable().Annotations(filterable()).
			Comment("Address it was done from."),
		field.String("user_agent").Default("").MaxLen(512).Immutable().
			Comment("Program it was done with."),
		field.String("request_id").Default("").MaxLen(64).Immutable().Annotations(filterable()).
			Comment("Identifier of the request, which the panel's log names too."),
		field.Enum("outcome").GoType(kind.AuditOutcome("")).Immutable().
			Annotations(entgql.Type("AuditOutcome"), filterable()).
			Comment("How it ended."),
		field.JSON("details", map[string]any{}).Optional().Immutable().
			Annotations(entgql.Type("JSON")).
			Comment("What else is worth knowing."),
	}
}

// Edges returns the relations.
func (AuditLog) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("actor", User.Type).Field("actor_id").Unique().Annotations(setNull()).
			Comment("Account that acted; null for Catalyst itself and for deleted accounts."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (AuditLog) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("actor_id", "created_at"),
		index.Fields("actor_name"),
		index.Fields("action", "created_at"),
		index.Fields("target_type", "target_id"),
		index.Fields("server_id", "created_at"),
		index.Fields("ip"),
		index.Fields("request_id"),
	}
}
