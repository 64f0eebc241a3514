package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// ServerLog is the console of all servers, a line a row.
type ServerLog struct{ ent.Schema }

// Mixin returns the key of the series.
func (ServerLog) Mixin() []ent.Mixin { return []ent.Mixin{Series{}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (ServerLog) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("The console of all servers, a line a row. Read through the server."),
	}
}

// Fields returns the columns.
func (ServerLog) Fields() []ent.Field {
	return []ent.Field{
		field.String("server_id").Immutable().
			Comment("Identifier of the server."),
		field.Int64("seq").Positive().Immutable().
			Comment("Number of the line, counted up for ever for each server."),
		field.Time("at").Immutable().
			Comment("When the line was written."),
		field.Enum("stream").GoType(kind.Stream("")).Immutable().
			Comment("Where the line comes from."),
		field.Text("text").Immutable().
			Comment("The line without its end, as valid UTF-8."),
		field.Int64("bytes_upto").Default(0).NonNegative().Immutable().
			Comment("Bytes of text that the server has written up to the end of this line."),
	}
}

// Edges returns the relations.
func (ServerLog) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("server", Server.Type).Field("server_id").Unique().Required().Immutable().Annotations(cascade()).
			Comment("Server that wrote the line."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (ServerLog) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id", "seq").Unique(),
		index.Fields("server_id", "at"),
		index.Fields("at"),
	}
}
