package schema

import (
	"encoding/json"

	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Setting is a setting that holds for all panel instances.
type Setting struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Setting) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixSetting}} }

// Annotations describes the entity and lists it.
func (Setting) Annotations() []schema.Annotation {
	return append(connected("settings", "The settings that the viewer may see."),
		schema.Comment("A setting that holds for all instances of the panel."))
}

// Fields returns the columns.
func (Setting) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").Unique().NotEmpty().MaxLen(128).Immutable().
			Annotations(entgql.OrderField("KEY"), filterable()).
			Comment("Name of the setting. Unique."),
		field.JSON("value", json.RawMessage{}).Annotations(hidden()).
			Comment("Value of the setting."),
	}
}
