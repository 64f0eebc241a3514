package files

import (
	"bufio"
	"context"
	"io"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// logPage is how many lines of a log are read at once.
const logPage = 1000

// Logs reads consoles. console.Service is one.
type Logs interface {
	// Lines returns stored lines of a server; it needs console.read.
	Lines(ctx context.Context, serverID string, f console.Filter) (*console.Page, error)
}

// LogInput says which lines of a console are wanted.
type LogInput struct {
	ServerID     string
	Streams      []kind.Stream
	Since, Until *time.Time
}

// logTicket is the part of a ticket that is about a log.
type logTicket struct {
	Streams []kind.Stream `json:"s,omitempty"`
	Since   *time.Time    `json:"a,omitempty"`
	Until   *time.Time    `json:"b,omitempty"`
}

// CreateLogDownload returns an address at which the kept lines of a console can be had as text, for an hour and for as long as
// whoever asked for it may read them. It needs console.read.
func (s *Service) CreateLogDownload(ctx context.Context, in LogInput) (*Address, error) {
	e := deed("console.download", in.ServerID)
	if err := access.Check(ctx, s.Client, access.ConsoleRead, access.On(in.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, in.ServerID) {
		return nil, fault.Missing("server")
	}
	t := ticket{ServerID: in.ServerID, Log: &logTicket{Streams: in.Streams, Since: in.Since, Until: in.Until}}
	signed, expires, err := s.sign(ctx, token.AudienceDownload, t, downloadLife)
	if err != nil {
		return nil, err
	}
	if err := s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil }); err != nil {
		return nil, err
	}
	return &Address{URL: s.address("log", signed, "/"+in.ServerID+".log"), ExpiresAt: expires}, nil
}

// LogDownload is what an address of a log leads to.
type LogDownload struct {
	// Name is what the file is called.
	Name string
	// Context ends when the right to read is lost.
	Context context.Context //nolint:containedctx // that of one download
	// Close must be called.
	Close func()

	service *Service
	ticket  ticket
}

// Log opens what a signed address of a log leads to. It fails with UNAUTHENTICATED for an address that is not good any more.
func (s *Service) Log(ctx context.Context, signed string) (*LogDownload, error) {
	t, ctx, err := s.redeem(ctx, token.AudienceDownload, signed)
	if err != nil {
		return nil, err
	}
	if t.Log == nil {
		return nil, notThere()
	}
	ctx, closeGate, err := s.Gate.Open(ctx, access.ConsoleRead, access.On(t.ServerID))
	if err != nil {
		return nil, err
	}
	return &LogDownload{Name: t.ServerID + ".log", Context: ctx, Close: closeGate, service: s, ticket: t}, nil
}

// notThere is for an address that was made for something else.
func notThere() *fault.Error {
	return fault.New(fault.Unauthenticated, "This address is not valid: ask the API for one.")
}

// Write writes the log: a line for each of the console's, with its time and stream. Nothing but a page of it is in memory.
func (d *LogDownload) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	f := console.Filter{First: logPage, Streams: d.ticket.Log.Streams, Since: d.ticket.Log.Since, Until: d.ticket.Log.Until, After: new(uint64)}
	for {
		page, err := d.service.Logs.Lines(d.Context, d.ticket.ServerID, f)
		if err != nil {
			return err
		}
		for _, l := range page.Lines {
			at := time.UnixMicro(l.Micros).UTC().Format("2006-01-02T15:04:05.000000Z")
			for _, part := range []string{at, " ", string(l.Stream), " ", l.Text, "\n"} {
				if _, err := out.WriteString(part); err != nil {
					return err //nolint:wrapcheck // it is the client that has gone
				}
			}
			f.After = &l.Seq
		}
		if !page.HasNext {
			return out.Flush() //nolint:wrapcheck // as above
		}
	}
}
