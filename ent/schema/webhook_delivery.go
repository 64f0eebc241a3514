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

// WebhookDelivery is one event on its way to a webhook.
type WebhookDelivery struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (WebhookDelivery) Mixin() []ent.Mixin {
	return []ent.Mixin{Entity{Prefix: kind.PrefixWebhookDelivery}}
}

// Annotations describes the entity and lists it.
func (WebhookDelivery) Annotations() []schema.Annotation {
	return append(connected("webhookDeliveries", "The webhook deliveries that the viewer may see."),
		schema.Comment("One event on its way to a webhook."))
}

// Fields returns the columns.
func (WebhookDelivery) Fields() []ent.Field {
	return []ent.Field{
		field.String("webhook_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the webhook."),
		field.String("event").NotEmpty().MaxLen(128).Annotations(filterable()).
			Comment("Event that it tells of."),
		field.JSON("payload", map[string]any{}).
			Annotations(entgql.Type("JSON")).
			Comment("What it tells."),
		field.Enum("state").GoType(kind.DeliveryState("")).Default(string(kind.DeliveryStatePending)).
			Annotations(entgql.Type("DeliveryState"), filterable()).
			Comment("How far the delivery is."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How often it was tried."),
		field.Int("status_code").Optional().Nillable().
			Comment("HTTP status of the last answer."),
		field.Int("latency_ms").Optional().Nillable().
			Comment("Milliseconds until the last answer."),
		field.Text("error").Optional().Nillable().MaxLen(4096).
			Comment("Why the last try failed, if it did."),
		field.Time("next_attempt_at").Default(now).
			Comment("When it is tried next."),
		field.Time("delivered_at").Optional().Nillable().
			Comment("When it was accepted."),
	}
}

// Edges returns the relations.
func (WebhookDelivery) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("webhook", Webhook.Type).Ref("deliveries").Field("webhook_id").Unique().Required().Immutable().
			Comment("Webhook that is told."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (WebhookDelivery) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("webhook_id"),
		index.Fields("event"),
		index.Fields("state", "next_attempt_at"),
	}
}
