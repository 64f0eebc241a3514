package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
)

// FilterAnnotation is the name of the annotation that puts a field into the GraphQL filters.
const FilterAnnotation = "CatalystFilter"

// Filter marks a field that the GraphQL filters offer.
type Filter struct {
	// On is always true; it keeps the annotation from being empty.
	On bool
}

// Name returns the name that the generator finds the annotation by.
func (Filter) Name() string { return FilterAnnotation }

func filterable() schema.Annotation { return Filter{On: true} }

// AnnouncedAnnotation is the name of the annotation of entities whose changes can be subscribed to.
const AnnouncedAnnotation = "CatalystAnnounced"

// Announced marks an entity whose changes can be subscribed to.
type Announced struct {
	// Noun is the entity's name in GraphQL: "taskRun" for taskRunChanged and TaskRunChangedEvent.taskRun.
	Noun string
}

// Name returns the name that the generator finds the annotation by.
func (Announced) Name() string { return AnnouncedAnnotation }

func announced(noun string) schema.Annotation { return Announced{Noun: noun} }

// hidden keeps a field, an edge or an entity out of GraphQL altogether.
func hidden() schema.Annotation { return entgql.Skip(entgql.SkipAll) }

// key is the annotation of a foreign key: GraphQL shows the edge in its place, filters may name it.
func key() schema.Annotation { return entgql.Skip(entgql.SkipType) }

// bytes is the annotation of a count of bytes.
func bytes() schema.Annotation { return entgql.Type("Bytes") }

// connected lists an entity under a query field as a Relay connection.
func connected(query, description string) []schema.Annotation {
	return []schema.Annotation{entgql.RelayConnection(), entgql.QueryField(query).Description(description)}
}

// added is the annotation of a list that rows from before it was added have empty.
func added() schema.Annotation { return entsql.Default("[]") }

func cascade() schema.Annotation { return entsql.OnDelete(entsql.Cascade) }
func setNull() schema.Annotation { return entsql.OnDelete(entsql.SetNull) }

// restrict refuses to delete a parent that has children. RESTRICT itself would be the same here, but PostgreSQL 18
// reports it by an error that ent does not take for a broken constraint.
func restrict() schema.Annotation { return entsql.OnDelete(entsql.NoAction) }
