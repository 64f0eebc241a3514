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

// Webhook is an address that is told of events.
type Webhook struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Webhook) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixWebhook}} }

// Annotations describes the entity and lists it.
func (Webhook) Annotations() []schema.Annotation {
	return append(connected("webhooks", "The webhooks that the viewer may see."),
		announced("webhook"), schema.Comment("An address that is told of events by signed HTTP requests."))
}

// Fields returns the columns.
func (Webhook) Fields() []ent.Field {
	return []ent.Field{
		field.String("owner_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that made it."),
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the webhook."),
		field.String("url").NotEmpty().MaxLen(2048).
			Comment("Address that the requests go to."),
		field.Strings("events").Default([]string{}).
			Comment("Events that it is told of."),
		field.Bytes("secret").Optional().Nillable().Sensitive().Annotations(hidden()).
			Comment("Encrypted key of the signature."),
		field.Enum("format").GoType(kind.WebhookFormat("")).Default(string(kind.WebhookFormatJSON)).
			Annotations(entgql.Type("WebhookFormat"), filterable()).
			Comment("Shape of the requests."),
		field.Bool("enabled").Default(true).Annotations(filterable()).
			Comment("Whether it is told of anything."),
	}
}

// Edges returns the relations.
func (Webhook) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("owner", User.Type).Field("owner_id").Unique().Annotations(setNull()).
			Comment("Account that made it."),
		edge.From("alert_rules", AlertRule.Type).Ref("webhooks").Annotations(hidden()).
			Comment("Rules that tell it of their alerts."),
		edge.To("deliveries", WebhookDelivery.Type).Annotations(entgql.RelayConnection(), cascade()).
			Comment("Requests that were or will be made."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Webhook) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("owner_id"),
		index.Fields("name"),
		index.Fields("enabled"),
	}
}
