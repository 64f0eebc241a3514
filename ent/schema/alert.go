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

// Alert is something that somebody should look at.
type Alert struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Alert) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixAlert}} }

// Annotations describes the entity and lists it.
func (Alert) Annotations() []schema.Annotation {
	return append(connected("alerts", "The alerts that the viewer may see."),
		announced("alert"), schema.Comment("Something that somebody should look at."))
}

// Fields returns the columns.
func (Alert) Fields() []ent.Field {
	return []ent.Field{
		field.String("rule_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the rule that raised it."),
		field.String("server_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the server that it is about."),
		field.String("node_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the node that it is about."),
		field.String("resolved_by_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that resolved it."),
		field.Enum("type").GoType(kind.AlertType("")).Immutable().
			Annotations(entgql.Type("AlertType"), filterable()).
			Comment("What it is about."),
		field.Enum("severity").GoType(kind.AlertSeverity("")).
			Annotations(entgql.Type("AlertSeverity"), filterable()).
			Comment("How urgent it is."),
		field.String("title").NotEmpty().MaxLen(255).
			Comment("What has happened, in a few words."),
		field.Text("message").Default("").MaxLen(4096).
			Comment("What has happened, in full."),
		field.Bool("resolved").Default(false).Annotations(filterable()).
			Comment("Whether it is over."),
		field.Time("resolved_at").Optional().Nillable().
			Comment("When it was resolved."),
		field.Time("last_seen_at").Default(now).
			Annotations(entgql.OrderField("LAST_SEEN_AT")).
			Comment("When its condition was last seen."),
	}
}

// Edges returns the relations.
func (Alert) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("rule", AlertRule.Type).Ref("alerts").Field("rule_id").Unique().
			Comment("Rule that raised it; null when the viewer may not see it."),
		edge.From("server", Server.Type).Ref("alerts").Field("server_id").Unique().
			Comment("Server that it is about, if it is about one."),
		edge.To("node", Node.Type).Field("node_id").Unique().Annotations(cascade()).
			Comment("Node that it is about, if it is about one."),
		edge.To("resolved_by", User.Type).Field("resolved_by_id").Unique().Annotations(setNull()).
			Comment("Account that resolved it; null when it resolved itself."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Alert) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("rule_id"),
		index.Fields("server_id", "resolved"),
		index.Fields("node_id", "resolved"),
		index.Fields("resolved_by_id"),
		index.Fields("type"),
		index.Fields("severity"),
		index.Fields("resolved", "created_at"),
		index.Fields("last_seen_at"),
	}
}
