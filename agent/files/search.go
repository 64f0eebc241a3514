package files

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Found is what a search came to.
type Found struct {
	Entries []Entry
	// More reports that the search ended before it had seen everything.
	More bool
}

// maxSeen is how many names a search looks at.
const maxSeen = 1_000_000

// Search looks for names below a directory: those that contain the query, or match it when it has one of "*?[". Capitals do
// not matter. It ends after so many matches.
func (t *Tree) Search(ctx context.Context, dir, query string, most int) (Found, error) {
	matches, err := matcher(query)
	if err != nil {
		return Found{}, err
	}
	if dir, err = Clean(dir); err != nil {
		return Found{}, err
	}
	var found Found
	seen := 0
	err = t.Walk(ctx, dir, func(v *Visit) error {
		if seen++; seen > maxSeen {
			found.More = true
			return fs.SkipAll
		}
		if v.Path == dir || !matches(v.base) {
			return nil
		}
		if len(found.Entries) == most {
			found.More = true
			return fs.SkipAll
		}
		found.Entries = append(found.Entries, v.Entry)
		return nil
	})
	return found, err
}

func matcher(query string) (func(string) bool, error) {
	query = strings.ToLower(query)
	if query == "" || len(query) > maxName {
		return nil, fault.Input("query", "Search for a name of 1 to 255 bytes, or for a pattern like \"*.log\".")
	}
	if !strings.ContainsAny(query, "*?[") {
		return func(name string) bool { return strings.Contains(strings.ToLower(name), query) }, nil
	}
	if _, err := path.Match(query, ""); err != nil {
		return nil, fault.Input("query", "The pattern is not complete: close its bracket, or write \"\\\\[\" for the character itself.").Wrap(err)
	}
	return func(name string) bool {
		ok, err := path.Match(query, strings.ToLower(name))
		return ok && err == nil
	}, nil
}
