package kind

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// values turns typed enumeration values into the strings that ent stores and GraphQL shows.
func values[T ~string](vs ...T) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = string(v)
	}
	return out
}

// marshal writes v as a GraphQL enum value.
func marshal[T ~string](w io.Writer, v T) {
	// The signature of graphql.Marshaler has no error: a failed write ends the response elsewhere.
	_, _ = io.WriteString(w, strconv.Quote(string(v)))
}

// unmarshal reads a GraphQL enum value and refuses those not in allowed.
func unmarshal[T ~string](into *T, v any, allowed []string) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("an enum value must be a string, not %T", v)
	}
	if !slices.Contains(allowed, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(allowed, ", "))
	}
	*into = T(s)
	return nil
}
