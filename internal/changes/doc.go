// Package changes announces what happened to entities: created, updated, deleted. A hook on ent notes every change of a
// single entity and publishes it after the commit, so that no service can forget it; subscriptions follow one entity or
// all of a kind, and see only what their viewer may see.
//
// Events are signals without content. The reader loads the entity itself, as the viewer, which is also the check of
// visibility on every event. A deletion carries what the entity belonged to, by which access decides who is told.
// Changes of many entities by one statement are not announced: services change published entities one by one.
//
// The kinds that can be followed, and the GraphQL subscriptions over them, are generated from the entities that are
// announced in ent/schema (package generate).
package changes
