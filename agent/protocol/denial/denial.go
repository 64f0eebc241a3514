// Package denial decides which files of a server its template keeps from users, by patterns as in .gitignore. The panel asks
// it before it sends work to a node, and the agent during an SFTP session, so that both come to the same answer.
package denial

import (
	"path"
	"strings"

	ignore "github.com/sabhiram/go-gitignore"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// List is what a template denies to users. The zero value denies nothing.
type List struct {
	patterns []string
	matcher  *ignore.GitIgnore
}

// New reads patterns.
func New(patterns []string) List {
	if len(patterns) == 0 {
		return List{}
	}
	return List{patterns: patterns, matcher: ignore.CompileIgnoreLines(patterns...)}
}

var errDenied = fault.New(fault.Forbidden, "The server's template keeps this file from users: an administrator can change it.")

// Patterns returns what the list was made of.
func (d List) Patterns() []string { return d.patterns }

// Check refuses paths that are denied.
func (d List) Check(paths ...string) error {
	if d.matcher == nil {
		return nil
	}
	for _, p := range paths {
		if p = clean(p); p != "" && d.matcher.MatchesPath(p) {
			return errDenied
		}
	}
	return nil
}

// CheckWhole refuses paths that are denied, and directories that are named on the way to what is denied: who moves or
// removes one does so with what is in it.
func (d List) CheckWhole(paths ...string) error {
	if err := d.Check(paths...); err != nil || d.matcher == nil {
		return err
	}
	for _, p := range paths {
		for _, pattern := range d.patterns {
			if leadsTo(strings.Split(clean(p), "/"), pattern) {
				return errDenied
			}
		}
	}
	return nil
}

// CheckLink refuses a link to a place that is denied, or from which a path leads to what is: by the link, the path would be
// another one.
func (d List) CheckLink(target string) error {
	if d.matcher != nil && clean(target) == "" {
		return errDenied
	}
	return d.CheckWhole(target)
}

// leadsTo reports whether a directory stands on the way that a pattern names.
func leadsTo(dir []string, pattern string) bool {
	pattern = strings.Trim(strings.TrimPrefix(strings.TrimSpace(pattern), "!"), "/")
	steps := strings.Split(pattern, "/")
	if len(steps) <= len(dir) {
		return false
	}
	for i, name := range dir {
		if steps[i] == "**" {
			return true
		}
		if ok, err := path.Match(steps[i], name); err != nil || !ok {
			return false
		}
	}
	return true
}

// clean is a path without slashes at its ends and doubled ones; what is wrong with it otherwise is the node's to say.
func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }
