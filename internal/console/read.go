package console

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/predicate"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Filter selects and pages stored lines. At most one of First and Last is set; both zero takes the last 25.
type Filter struct {
	After, Before *uint64
	First, Last   int
	Streams       []kind.Stream
	Since, Until  *time.Time
	// Contains is a text that a line holds, in either case.
	Contains string
	// Counted asks for the Total of the page, which costs a look at every line that the filter selects.
	Counted bool
}

// Page is a part of the stored lines, in order.
type Page struct {
	Lines                []Line
	HasPrevious, HasNext bool
	// Total counts the lines that the filter selects, wherever the page stands; only where the filter asks for it.
	Total int
}

// Lines returns stored lines of a server. It needs console.read.
func (s *Service) Lines(ctx context.Context, serverID string, f Filter) (*Page, error) {
	if err := access.Check(ctx, s.Client, access.ConsoleRead, access.On(serverID)); err != nil {
		return nil, err
	}
	selected := s.Client.ServerLog.Query().Where(f.predicates(serverID)...)
	total := 0
	if f.Counted {
		var err error
		if total, err = selected.Clone().Count(ctx); err != nil {
			return nil, fmt.Errorf("count console lines: %w", err)
		}
	}
	page := selected.Clone()
	if f.After != nil {
		page.Where(serverlog.SeqGT(int64(min(*f.After, 1<<62))))
	}
	if f.Before != nil {
		page.Where(serverlog.SeqLT(int64(min(*f.Before, 1<<62))))
	}
	limit, backwards := f.First, false
	if limit == 0 {
		limit, backwards = max(f.Last, 0), true
	}
	if limit == 0 {
		limit = 25
	}
	order := serverlog.BySeq()
	if backwards {
		order = serverlog.BySeq(sql.OrderDesc())
	}
	rows, err := page.Order(order).Limit(limit + 1).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read console lines: %w", err)
	}
	more := len(rows) > limit
	rows = rows[:min(limit, len(rows))]
	if backwards {
		slices.Reverse(rows)
		return &Page{Lines: linesOf(rows), HasPrevious: more, HasNext: f.Before != nil, Total: total}, nil
	}
	return &Page{Lines: linesOf(rows), HasPrevious: f.After != nil, HasNext: more, Total: total}, nil
}

func (f Filter) predicates(serverID string) []predicate.ServerLog {
	ps := []predicate.ServerLog{serverlog.ServerID(serverID)}
	if len(f.Streams) > 0 {
		ps = append(ps, serverlog.StreamIn(f.Streams...))
	}
	if f.Since != nil {
		ps = append(ps, serverlog.AtGTE(*f.Since))
	}
	if f.Until != nil {
		ps = append(ps, serverlog.AtLTE(*f.Until))
	}
	if f.Contains != "" {
		ps = append(ps, serverlog.TextContainsFold(f.Contains))
	}
	return ps
}

func linesOf(rows []*ent.ServerLog) []Line {
	lines := make([]Line, len(rows))
	for i, r := range rows {
		lines[i] = Line{Seq: uint64(r.Seq), Micros: r.At.UnixMicro(), Stream: r.Stream, Text: r.Text}
	}
	return lines
}
