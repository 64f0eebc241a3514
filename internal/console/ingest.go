package console

import (
	"context"
	"fmt"
	"log/slog"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// rowsPerInsert keeps a statement under SQLite's 32,766 parameters.
	rowsPerInsert = 1000
	// linesPerEvent and bytesPerEvent keep an event on the bus below a NATS server's usual limit of 1 MiB: escaped, a
	// byte of text takes up to six.
	linesPerEvent, bytesPerEvent = 64, 128 << 10
)

// Cursors returns the last stored line of each server of a node: where the node's console flow starts.
func (s *Service) Cursors(ctx context.Context, nodeID string) (map[string]uint64, error) {
	ctx = viewer.System(ctx, s.Logger, "console cursors of a node")
	rows, err := s.Client.Server.Query().
		Where(server.NodeID(nodeID), server.DeletedAtIsNil()).
		Select(server.FieldID, server.FieldConsoleSeq).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read console cursors: %w", err)
	}
	cursors := make(map[string]uint64, len(rows))
	for _, r := range rows {
		cursors[r.ID] = uint64(r.ConsoleSeq)
	}
	return cursors, nil
}

// Ingest stores what a node sent, in one transaction, and then publishes it. Lines of servers that are not the node's
// are refused, lines that are already stored are passed over.
func (s *Service) Ingest(ctx context.Context, nodeID string, responses []*protocol.ConsoleResponse) error {
	ctx = viewer.System(ctx, s.Logger, "store console lines")
	incoming, order := gather(responses)
	var fresh map[string][]Line
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		fresh = make(map[string][]Line, len(order))
		cursors, err := s.cursors(ctx, t, nodeID, order)
		if err != nil {
			return err
		}
		var rows []row
		for _, id := range order {
			at, ours := cursors[id]
			if !ours {
				s.Logger.WarnContext(ctx, "refused console lines of a server that is not the node's",
					slog.String("node_id", nodeID), slog.String("server_id", id))
				continue
			}
			lines := after(at.seq, incoming[id])
			if len(lines) == 0 {
				continue
			}
			fresh[id] = lines
			for _, l := range lines {
				at = at.past(l)
				rows = append(rows, row{server: id, Line: l, upto: at.bytes})
			}
			if err := s.advance(ctx, t, id, at); err != nil {
				return err
			}
		}
		return s.insert(ctx, t, rows)
	})
	if err != nil {
		return fmt.Errorf("store console lines: %w", err)
	}
	for _, id := range order {
		s.publish(ctx, id, fresh[id])
	}
	return nil
}

// gather joins the lines of each server, keeping the order in which servers were first named.
func gather(responses []*protocol.ConsoleResponse) (lines map[string][]Line, order []string) {
	lines = make(map[string][]Line)
	for _, r := range responses {
		id := r.GetServerId()
		if _, known := lines[id]; !known {
			order = append(order, id)
		}
		for _, l := range r.GetLines() {
			lines[id] = append(lines[id], Line{
				Seq: l.GetSeq(), Micros: protocol.Time(l.GetAtUs()).UnixMicro(), Stream: streamOf(l.GetStream()), Text: cleanText(l.GetText()),
			})
		}
	}
	return lines, order
}

// cursor is how far a server's console is stored.
type cursor struct {
	seq   uint64 // the last line
	bytes int64  // of text, of all lines up to that
}

func (c cursor) past(l Line) cursor { return cursor{seq: l.Seq, bytes: c.bytes + int64(len(l.Text))} }

// cursors locks the named servers of the node and returns how far each is stored. It is written without ent's
// builders, like the rest of this path, so that a line does not count as a change of the server.
func (s *Service) cursors(ctx context.Context, t *ent.Tx, nodeID string, ids []string) (map[string]cursor, error) {
	query := sql.Dialect(s.Dialect).Select(server.FieldID, server.FieldConsoleSeq, server.FieldConsoleBytes).From(sql.Table(server.Table)).
		Where(sql.And(sql.In(server.FieldID, anys(ids)...), sql.EQ(server.FieldNodeID, nodeID), sql.IsNull(server.FieldDeletedAt))).
		OrderBy(server.FieldID)
	if s.Dialect == dialect.Postgres {
		query.ForUpdate()
	}
	text, args := query.Query()
	rows, err := t.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("lock console cursors: %w", err)
	}
	defer rows.Close() //nolint:errcheck // reading has ended; Err says how
	cursors := make(map[string]cursor, len(ids))
	for rows.Next() {
		var id string
		var at cursor
		if err := rows.Scan(&id, &at.seq, &at.bytes); err != nil {
			return nil, fmt.Errorf("read console cursor: %w", err)
		}
		cursors[id] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read console cursors: %w", err)
	}
	return cursors, nil
}

// after returns the lines that come after number last, in order: what is sent again is passed over, and so is what is
// numbered beyond reason.
func after(last uint64, lines []Line) []Line {
	fresh := make([]Line, 0, len(lines))
	for _, l := range lines {
		if l.Seq > last && l.Seq-last <= protocol.MaxConsoleSkip {
			fresh = append(fresh, l)
			last = l.Seq
		}
	}
	return fresh
}

// advance moves a server's cursor.
func (s *Service) advance(ctx context.Context, t *ent.Tx, id string, to cursor) error {
	query, args := sql.Dialect(s.Dialect).Update(server.Table).
		Set(server.FieldConsoleSeq, int64(to.seq)).Set(server.FieldConsoleBytes, to.bytes).
		Where(sql.EQ(server.FieldID, id)).Query()
	if _, err := t.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("move console cursor: %w", err)
	}
	return nil
}

func anys(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// row is one line of one server.
type row struct {
	Line
	server string
	upto   int64 // bytes of text up to the end of the line
}

// insert stores the rows with few statements. It is written without ent's builders because they cost more than the
// database does; the unit of work is the caller's.
func (s *Service) insert(ctx context.Context, t *ent.Tx, rows []row) error {
	for start := 0; start < len(rows); start += rowsPerInsert {
		insert := sql.Dialect(s.Dialect).Insert(serverlog.Table).Columns(
			serverlog.FieldServerID, serverlog.FieldSeq, serverlog.FieldAt, serverlog.FieldStream, serverlog.FieldText, serverlog.FieldBytesUpto)
		for _, r := range rows[start:min(start+rowsPerInsert, len(rows))] {
			insert.Values(r.server, int64(r.Seq), r.Time(), string(r.Stream), r.Text, r.upto)
		}
		query, args := insert.Query()
		if _, err := t.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("insert console lines: %w", err)
		}
	}
	return nil
}

// publish tells the followers. What cannot be published is still stored: followers notice the gap in the sequence.
func (s *Service) publish(ctx context.Context, id string, lines []Line) {
	for len(lines) > 0 {
		n, size := 0, 0
		for n < min(len(lines), linesPerEvent) && (n == 0 || size+len(lines[n].Text) <= bytesPerEvent) {
			size += len(lines[n].Text)
			n++
		}
		event := &stored{Lines: lines[:n]}
		lines = lines[n:]
		if err := topic.Publish(ctx, s.Bus, id, event); err != nil {
			s.Logger.ErrorContext(ctx, "could not publish console lines", slog.String("server_id", id), slog.Any("error", err))
			return
		}
	}
}

// cleanText makes a node's text safe to store: valid UTF-8 without NUL, which PostgreSQL refuses.
func cleanText(s string) string { return textCleaner.Replace(s) }

func streamOf(s protocol.Stream) kind.Stream {
	switch s {
	case protocol.Stream_STREAM_STDERR:
		return kind.StreamStderr
	case protocol.Stream_STREAM_SYSTEM:
		return kind.StreamSystem
	case protocol.Stream_STREAM_INPUT:
		return kind.StreamInput
	case protocol.Stream_STREAM_STDOUT, protocol.Stream_STREAM_UNSPECIFIED:
		return kind.StreamStdout
	}
	return kind.StreamStdout
}
