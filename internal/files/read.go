package files

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// DefaultText and maxText bound a text that is read, in bytes.
	DefaultText, maxText = 1 << 20, 4 << 20
	// defaultPage is how many entries a page has.
	defaultPage = 25
)

// ListInput says which entries of a directory are wanted.
type ListInput struct {
	// Path is the directory; empty for the root.
	Path string
	// First is how many are wanted, 1 to 100; 25 when 0.
	First int
	// After is the cursor of the last entry that is known already; empty for the first page.
	After      string
	Order      kind.FileOrderField
	Descending bool
}

// Listing is one page of a directory.
type Listing struct {
	Entries []Entry
	// Cursors are those of the entries.
	Cursors []string
	HasNext bool
	// Total counts the entries of the whole directory.
	Total int
}

var orders = map[kind.FileOrderField]protocol.FileOrder{
	kind.FileOrderName: protocol.FileOrder_FILE_ORDER_NAME, kind.FileOrderSize: protocol.FileOrder_FILE_ORDER_SIZE,
	kind.FileOrderModifiedAt: protocol.FileOrder_FILE_ORDER_MODIFIED_AT,
}

// List describes one page of a directory. It needs file.read.
func (s *Service) List(ctx context.Context, serverID string, in ListInput) (*Listing, error) {
	at, err := s.reading(ctx, serverID)
	if err != nil {
		return nil, err
	}
	if in.First == 0 {
		in.First = defaultPage
	}
	request := &protocol.ListFilesRequest{
		ServerId: at.id, Path: raw(in.Path), Order: orders[in.Order], Descending: in.Descending, Limit: int32(in.First),
	}
	if in.After != "" {
		if request.After, err = place(in.After); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	answer, err := at.calls.ListFiles(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	found := answer.Msg
	out := &Listing{Entries: entriesOf(found.GetEntries()), HasNext: found.GetMore(), Total: int(found.GetTotal())}
	for _, p := range found.GetPlaces() {
		text, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encode a cursor: %w", err)
		}
		out.Cursors = append(out.Cursors, base64.RawURLEncoding.EncodeToString(text))
	}
	if len(out.Cursors) != len(out.Entries) || len(out.Entries) > in.First {
		return nil, fault.New(fault.Internal, "The node's answer makes no sense. Update its agent.")
	}
	return out, nil
}

// place reads a cursor.
func place(cursor string) (*protocol.FilePlace, error) {
	p := &protocol.FilePlace{}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = proto.Unmarshal(text, p)
	}
	if err != nil || len(p.GetName()) == 0 {
		return nil, fault.Input("after", "This is no cursor of a file. Take one from pageInfo or from an edge of the same order.")
	}
	return p, nil
}

// File is a name that was looked at by itself, on its server.
type File struct {
	Entry

	ServerID string
}

// Stat describes one name; a symbolic link is followed. It needs file.read. There is nothing to show for a name that does not
// exist: the answer is nil.
func (s *Service) Stat(ctx context.Context, serverID, path string) (*File, error) {
	at, err := s.reading(ctx, serverID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := at.calls.StatFile(ctx, connect.NewRequest(&protocol.StatFileRequest{ServerId: at.id, Path: raw(path)}))
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	return &File{Entry: entry(answer.Msg.GetEntry()), ServerID: at.id}, nil
}

// Search looks for names below a directory: those that contain the query, or match it when it has "*", "?" or "[". It needs
// file.read. The second result says whether there may be more than were found.
func (s *Service) Search(ctx context.Context, serverID, path, query string, most int) ([]Entry, bool, error) {
	at, err := s.reading(ctx, serverID)
	if err != nil {
		return nil, false, err
	}
	if most < 1 || most > 100 {
		return nil, false, fault.Input("limit", "A search finds 1 to 100 files.")
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	answer, err := at.calls.SearchFiles(ctx, connect.NewRequest(&protocol.SearchFilesRequest{
		ServerId: at.id, Path: raw(path), Query: raw(query), Limit: int32(most),
	}))
	if err != nil {
		return nil, false, err
	}
	return entriesOf(answer.Msg.GetEntries()), answer.Msg.GetMore(), nil
}

// Text reads a text file of up to most bytes, 4 MiB at the most. It needs file.read, and fails with
// BAD_USER_INPUT for what is longer, or no text: half of a file that is written back would destroy it.
func (s *Service) Text(ctx context.Context, serverID, path string, most int) (string, error) {
	at, err := s.reading(ctx, serverID)
	if err != nil {
		return "", err
	}
	if err := at.deny.Check(path); err != nil {
		return "", err
	}
	if most < 1 || most > maxText {
		return "", fault.Input("maxBytes", "A text may have 1 to %d bytes: use createDownload for what is longer.", maxText)
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	body, err := s.content(ctx, at, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, int64(most)+1))
	switch {
	case err != nil:
		return "", fault.New(fault.NodeOffline, "The node's answer broke off: try again.").Wrap(err)
	case len(text) > most:
		return "", fault.Input("maxBytes", "The file has more than %d bytes: raise maxBytes, or use createDownload.", most)
	case !utf8.Valid(text):
		return "", fault.New(fault.BadUserInput, "This is no text in UTF-8: use createDownload.")
	}
	return string(text), nil
}

// content opens a file on a node.
func (s *Service) content(ctx context.Context, at *site, path string) (io.ReadCloser, error) {
	c := protocol.Content{ServerID: at.id, Path: string(raw(path))}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, protocol.ContentPath+"?"+c.Query(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for a file: %w", err)
	}
	answer, err := s.Link.Send(at.nodeID, request)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}
