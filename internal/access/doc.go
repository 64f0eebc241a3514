// Package access is the one permission table: [Check] says whether the viewer may do something, [Scope] which rows the
// viewer may see. Services call Check first in every verb; Scope is installed under the database client by the store,
// so that it covers every query, nested ones and counts included.
//
// Permissions come from three places: the viewer's roles (everywhere), the ownership of a server (all server-level
// ones, there) and a server access (the ones it lists, there). Viewer.Limit, the scope of an API key, narrows all
// three. Catalyst itself (viewer.System) may do and see everything.
//
// It returns UNAUTHENTICATED to the anonymous, NOT_FOUND for what the viewer may not see, exactly as for what does not
// exist, and FORBIDDEN for what the viewer may see but not do.
package access
