package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// effective returns the permissions that the viewer has everywhere: as the roles say them, or one by one when an API
// key narrows them.
func effective(v *viewer.Viewer) []string {
	if v == nil {
		return []string{}
	}
	if v.Limit == nil {
		return append([]string{}, v.Permissions...)
	}
	out := []string{}
	for _, e := range access.Catalogue() {
		if access.Grants(v, e.Permission) {
			out = append(out, string(e.Permission))
		}
	}
	return out
}

// profile reads what people may change of an account. Null puts a preference back to its default.
func profile(username, email, language, timeZone graphql.Omittable[*string]) (accounts.UpdateProfileInput, error) {
	var refused error
	in := accounts.UpdateProfileInput{
		Username: given("username", username, &refused), Email: given("email", email, &refused),
		Language: unless(language, user.DefaultLanguage), TimeZone: unless(timeZone, user.DefaultTimeZone),
	}
	return in, refused
}
