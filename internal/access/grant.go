package access

import (
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Everything is the permission string that contains all others.
const Everything = "*"

// Catalogue returns every permission that there is, in the order in which it is shown.
func Catalogue() []Entry { return slices.Clone(catalogue) }

// IsServerLevel reports whether p can be given for one server.
func IsServerLevel(p Permission) bool {
	return slices.ContainsFunc(catalogue, func(e Entry) bool { return e.Permission == p && e.ServerLevel })
}

// ServerLevel returns the permissions that can be given for one server, which are those that its owner has.
func ServerLevel() []Permission {
	var out []Permission
	for _, e := range catalogue {
		if e.ServerLevel {
			out = append(out, e.Permission)
		}
	}
	return out
}

// Contains reports whether a list of permission strings contains p: literally, by its area ("server.*") or by "*".
// p may be a wildcard itself; then the list must contain all of it.
func Contains(list []string, p Permission) bool {
	area, _, _ := strings.Cut(string(p), ".")
	for _, have := range list {
		if have == Everything || have == string(p) || have == area+".*" {
			return true
		}
	}
	return false
}

// Grants reports whether the viewer has p everywhere, by roles and within the limit of the credential.
func Grants(v *viewer.Viewer, p Permission) bool {
	if v.IsSystem() {
		return true
	}
	return v != nil && Contains(v.Permissions, p) && within(v, p)
}

// GrantsAll reports whether the viewer has every one of the permission strings everywhere. It answers whether the
// viewer may pass them on: nobody gives what they lack.
func GrantsAll(v *viewer.Viewer, list []string) bool {
	return !slices.ContainsFunc(list, func(p string) bool { return !Grants(v, Permission(p)) })
}

// within reports whether the limit of the viewer's credential leaves p.
func within(v *viewer.Viewer, p Permission) bool {
	return v.Limit == nil || Contains(v.Limit, p)
}

// Validate returns a BAD_USER_INPUT fault for field when a permission string of the list is neither a permission, nor
// a known area with ".*", nor "*".
func Validate(field string, list []string) error {
	for _, s := range list {
		if s == Everything {
			continue
		}
		known := slices.ContainsFunc(catalogue, func(e Entry) bool { return Contains([]string{s}, e.Permission) })
		if !known {
			return fault.Input(field, "%q is not a permission. The query permissions lists them all.", s)
		}
	}
	return nil
}

// ExpandServer writes out the permission strings of a server access: wildcards become the server-level permissions
// that they contain, server.read is always among them, and the result is sorted and free of duplicates. Strings that
// contain no server-level permission are a BAD_USER_INPUT fault for field.
func ExpandServer(field string, list []string) ([]string, error) {
	out := []string{string(ServerRead)}
	for _, s := range list {
		found := false
		for _, p := range ServerLevel() {
			if Contains([]string{s}, p) {
				out, found = append(out, string(p)), true
			}
		}
		if !found {
			return nil, fault.Input(field, "%q cannot be given for one server.", s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
