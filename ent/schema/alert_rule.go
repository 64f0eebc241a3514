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

// AlertRule is the condition under which alerts are raised.
type AlertRule struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (AlertRule) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixAlertRule}} }

// Annotations describes the entity and lists it.
func (AlertRule) Annotations() []schema.Annotation {
	return append(connected("alertRules", "The alert rules that the viewer may see."),
		announced("alertRule"), schema.Comment("The condition under which alerts are raised, and what is told of them."))
}

// Fields returns the columns.
func (AlertRule) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the rule."),
		field.Enum("type").GoType(kind.AlertType("")).
			Annotations(entgql.Type("AlertType"), filterable()).
			Comment("What the rule watches."),
		field.Enum("severity").GoType(kind.AlertSeverity("")).Default(string(kind.AlertSeverityWarning)).
			Annotations(entgql.Type("AlertSeverity"), filterable()).
			Comment("How urgent its alerts are."),
		field.String("node_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the node that it watches."),
		field.String("server_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the server that it watches."),
		field.String("created_by_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that made it."),
		field.Enum("metric").GoType(kind.AlertMetric("")).Optional().Nillable().
			Annotations(entgql.Type("AlertMetric")).
			Comment("Resource that is compared, with the type RESOURCE_THRESHOLD."),
		field.Enum("operator").GoType(kind.Comparison("")).Optional().Nillable().
			Annotations(entgql.Type("Comparison")).
			Comment("How the resource is compared with the value."),
		field.Float("value").Optional().Nillable().
			Comment("Value that the resource is compared with, in percent of its limit."),
		field.Int("for_seconds").Default(0).NonNegative().
			Comment("Seconds that the condition must hold before an alert is raised."),
		field.Bool("enabled").Default(true).Annotations(filterable()).
			Comment("Whether the rule is evaluated."),
	}
}

// Edges returns the relations.
func (AlertRule) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("node", Node.Type).Field("node_id").Unique().Annotations(cascade()).
			Comment("Node that it watches; all when neither node nor server is named."),
		edge.To("server", Server.Type).Field("server_id").Unique().Annotations(cascade()).
			Comment("Server that it watches; all when neither node nor server is named."),
		edge.To("created_by", User.Type).Field("created_by_id").Unique().Annotations(setNull()).
			Comment("Account that made it."),
		edge.To("webhooks", Webhook.Type).Annotations(entgql.RelayConnection()).
			Comment("Webhooks that are told of its alerts."),
		edge.To("alerts", Alert.Type).Annotations(entgql.RelayConnection(), setNull()).
			Comment("Alerts that it raised."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (AlertRule) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("node_id"),
		index.Fields("server_id"),
		index.Fields("created_by_id"),
		index.Fields("name"),
		index.Fields("enabled"),
	}
}
