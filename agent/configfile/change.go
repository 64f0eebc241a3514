package configfile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// change is one replacement.
type change struct {
	match, value string
	// when is the value that must stand there; pattern is what is replaced within it.
	when    string
	pattern *regexp.Regexp

	ctx    context.Context //nolint:containedctx // it lives as long as one call of Rewrite
	budget *int
}

func compile(ctx context.Context, r kind.ConfigReplacement, budget *int) (*change, error) {
	c := &change{match: r.Match, value: r.Value, when: r.If, ctx: ctx, budget: budget}
	if expr, ok := strings.CutPrefix(r.If, "regex:"); ok {
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, fmt.Errorf("a condition for %q is no regular expression", r.Match)
		}
		c.pattern = re
	}
	return c, nil
}

// unconditional reports whether the value is written where nothing stands yet.
func (c *change) unconditional() bool { return c.when == "" }

// apply returns the value that replaces another one, and whether it is to be replaced at all.
func (c *change) apply(current string) (string, bool, error) {
	switch {
	case c.pattern != nil:
		if !c.pattern.MatchString(current) {
			return "", false, nil
		}
		value := c.pattern.ReplaceAllString(current, c.value)
		return value, true, c.spend(len(value))
	case c.when != "" && c.when != current:
		return "", false, nil
	}
	return c.value, true, c.spend(len(c.value))
}

// spend counts what is written, since one replacement may be made in many places, and looks whether there is time left.
func (c *change) spend(bytes int) error {
	if *c.budget -= bytes + 1; *c.budget < 0 {
		return errSize
	}
	return c.hurry()
}

// hurry fails when the time is up.
func (c *change) hurry() error {
	if c.ctx.Err() != nil {
		return errors.New("it takes too long")
	}
	return nil
}
