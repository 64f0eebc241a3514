package graph

import (
	"context"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/model"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// lineFilter reads the page that is asked for. The cursor of a line is its number.
func lineFilter(after *ent.Cursor, first *int, before *ent.Cursor, last *int) (f console.Filter, err error) {
	if f.After, err = seq("after", after); err != nil {
		return f, err
	}
	if f.Before, err = seq("before", before); err != nil {
		return f, err
	}
	if first != nil {
		f.First = *first
	}
	if last != nil {
		f.Last = *last
	}
	return f, nil
}

func seq(field string, c *ent.Cursor) (*uint64, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no cursor, no error
	}
	n, err := strconv.ParseUint(c.ID, 10, 63)
	if err != nil || c.Value != nil {
		return nil, fault.Input(field, "This is no cursor of a console line.")
	}
	return &n, nil
}

func linePage(p *console.Page) *model.ConsoleLineConnection {
	out := &model.ConsoleLineConnection{
		Edges:      make([]model.ConsoleLineEdge, len(p.Lines)),
		PageInfo:   &ent.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious},
		TotalCount: p.Total,
	}
	for i := range p.Lines {
		out.Edges[i] = model.ConsoleLineEdge{Node: &p.Lines[i], Cursor: encode(lineCursor(p.Lines[i]))}
	}
	if n := len(p.Lines); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = lineCursor(p.Lines[0]), lineCursor(p.Lines[n-1])
	}
	return out
}

// selects reports whether the field that is resolved is asked for one of its fields.
func selects(ctx context.Context, name string) bool {
	for _, f := range graphql.CollectFieldsCtx(ctx, nil) {
		if f.Name == name {
			return true
		}
	}
	return false
}

func lineCursor(l console.Line) *ent.Cursor { return &ent.Cursor{ID: strconv.FormatUint(l.Seq, 10)} }

func encode(c *ent.Cursor) string {
	var b strings.Builder
	c.MarshalGQL(&b)
	return strings.Trim(b.String(), `"`)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
