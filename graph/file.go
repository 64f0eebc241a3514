package graph

import (
	"entgo.io/contrib/entgql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/model"
	"github.com/catalyst-panel/catalyst/internal/files"
)

// listing reads the page of a directory that is asked for.
func listing(path string, first *int, after *string, by *model.FileOrder) (files.ListInput, error) {
	in := files.ListInput{Path: path}
	c, err := cursor("after", after)
	if err != nil {
		return in, err
	}
	if c != nil {
		in.After = c.ID
	}
	if first != nil {
		in.First = *first
	}
	if by != nil {
		in.Order, in.Descending = by.Field, by.Direction == entgql.OrderDirectionDesc
	}
	return in, nil
}

func filePage(p *files.Listing, later bool) *model.FileEntryConnection {
	out := &model.FileEntryConnection{
		Edges:      make([]model.FileEntryEdge, len(p.Entries)),
		PageInfo:   &ent.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: later},
		TotalCount: p.Total,
	}
	for i := range p.Entries {
		out.Edges[i] = model.FileEntryEdge{Node: &p.Entries[i], Cursor: encode(&ent.Cursor{ID: p.Cursors[i]})}
	}
	if n := len(p.Entries); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &ent.Cursor{ID: p.Cursors[0]}, &ent.Cursor{ID: p.Cursors[n-1]}
	}
	return out
}
