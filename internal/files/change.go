package files

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxEntry bounds what a node says of a file that was written, in bytes.
const maxEntry = 64 << 10

// WriteInput is a file as it is to be.
type WriteInput struct {
	ServerID, Path string
	// Text or Base64 is the content; exactly one of them.
	Text, Base64 *string
	// IfUnmodifiedSince, when set, refuses to replace what somebody has changed later.
	IfUnmodifiedSince *time.Time
}

// Write replaces a file as a whole, or makes it, with the directories above it. It needs file.write and fails with CONFLICT
// when the file was changed after IfUnmodifiedSince, or is gone.
func (s *Service) Write(ctx context.Context, in WriteInput) (*Entry, error) {
	e := deed("file.write", in.ServerID, in.Path)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := at.deny.Check(in.Path); err != nil {
		return nil, err
	}
	body, err := in.body()
	if err != nil {
		return nil, err
	}
	c := protocol.Content{ServerID: at.id, Path: string(raw(in.Path)), Parents: true}
	if in.IfUnmodifiedSince != nil {
		c.UnmodifiedSince = *in.IfUnmodifiedSince
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	written, err := s.put(ctx, at, c, strings.NewReader(body))
	return written, s.record(ctx, e, err)
}

// body is the content that is to be written.
func (in WriteInput) body() (string, error) {
	switch {
	case (in.Text == nil) == (in.Base64 == nil):
		return "", fault.Input("text", "Give the content as text or as base64, one of the two.")
	case in.Text != nil:
		return *in.Text, nil
	}
	body, err := base64.StdEncoding.DecodeString(*in.Base64)
	if err != nil {
		return "", fault.Input("base64", "This is no base64 with padding.").Wrap(err)
	}
	return string(body), nil
}

// put replaces a file on a node by a body.
func (s *Service) put(ctx context.Context, at *site, c protocol.Content, body io.Reader) (*Entry, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, protocol.ContentPath+"?"+c.Query(), body)
	if err != nil {
		return nil, fmt.Errorf("send a file: %w", err)
	}
	answer, err := s.Link.Send(at.nodeID, request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	told, err := io.ReadAll(io.LimitReader(answer.Body, maxEntry))
	if err != nil {
		return nil, fault.New(fault.NodeOffline, "The node's answer broke off: look whether the file is there.").Wrap(err)
	}
	e := &protocol.FileEntry{}
	if err := proto.Unmarshal(told, e); err != nil {
		return nil, fmt.Errorf("decode what a node says of a file: %w", err)
	}
	out := entry(e)
	return &out, nil
}

// CreateDirectory makes a directory and those above it. It needs file.write; something of that name is a CONFLICT.
func (s *Service) CreateDirectory(ctx context.Context, serverID, path string) (*Entry, error) {
	e := deed("file.create-directory", serverID, path)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := at.deny.Check(path); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := at.calls.CreateDirectory(ctx, connect.NewRequest(&protocol.CreateDirectoryRequest{ServerId: at.id, Path: raw(path)}))
	if err := s.record(ctx, e, err); err != nil {
		return nil, err
	}
	made := entry(answer.Msg.GetEntry())
	return &made, nil
}

// Pair is a file, and where it is to go.
type Pair struct{ From, To string }

// wire is a list of pairs as a node understands it, and as the audit trail does.
func wire(pairs []Pair) (out []*protocol.FilePair, told, all []string) {
	for _, p := range pairs {
		out = append(out, &protocol.FilePair{From: raw(p.From), To: raw(p.To)})
		told = append(told, p.From+" → "+p.To)
		all = append(all, p.From, p.To)
	}
	return out, told, all
}

// Rename gives files and directories other places, in order; the first that fails ends it. It needs file.write.
func (s *Service) Rename(ctx context.Context, serverID string, pairs []Pair) ([]Entry, error) {
	list, told, all := wire(pairs)
	e := deed("file.rename", serverID, told...)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := counted("files", len(pairs)); err != nil {
		return nil, err
	}
	if err := at.deny.CheckWhole(all...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := at.calls.RenameFiles(ctx, connect.NewRequest(&protocol.RenameFilesRequest{ServerId: at.id, Files: list}))
	if err := s.record(ctx, e, err); err != nil {
		return nil, err
	}
	return entriesOf(answer.Msg.GetEntries()), nil
}

// Copy copies files and directories to names that are free, in order; the first that fails ends it. It needs file.write.
func (s *Service) Copy(ctx context.Context, serverID string, pairs []Pair) ([]Entry, error) {
	list, told, all := wire(pairs)
	e := deed("file.copy", serverID, told...)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := counted("files", len(pairs)); err != nil {
		return nil, err
	}
	if err := at.deny.CheckWhole(all...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	answer, err := at.calls.CopyFiles(ctx, connect.NewRequest(&protocol.CopyFilesRequest{ServerId: at.id, Files: list}))
	if err := s.record(ctx, e, err); err != nil {
		return nil, err
	}
	return entriesOf(answer.Msg.GetEntries()), nil
}

// Mode is a file, and the permission bits that it is to have as octal digits.
type Mode struct{ Path, Mode string }

// Chmod changes permission bits. It needs file.write.
func (s *Service) Chmod(ctx context.Context, serverID string, modes []Mode) ([]Entry, error) {
	told, all := make([]string, len(modes)), make([]string, len(modes))
	for i, m := range modes {
		told[i], all[i] = m.Path+" "+m.Mode, m.Path
	}
	e := deed("file.chmod", serverID, told...)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := counted("files", len(modes)); err != nil {
		return nil, err
	}
	if err := at.deny.Check(all...); err != nil {
		return nil, err
	}
	list := make([]*protocol.FileMode, len(modes))
	for i, m := range modes {
		bits, err := strconv.ParseUint(m.Mode, 8, 32)
		if err != nil || bits > uint64(fs.ModePerm) {
			return nil, fault.Input("files.mode", "A mode is a number of three or four octal digits such as 0644; others than the nine permission bits cannot be set.")
		}
		list[i] = &protocol.FileMode{Path: raw(m.Path), Mode: uint32(bits)}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := at.calls.ChmodFiles(ctx, connect.NewRequest(&protocol.ChmodFilesRequest{ServerId: at.id, Files: list}))
	if err := s.record(ctx, e, err); err != nil {
		return nil, err
	}
	return entriesOf(answer.Msg.GetEntries()), nil
}

// Delete removes files, and directories with everything in them, in order; the first that fails ends it. It needs
// file.delete.
func (s *Service) Delete(ctx context.Context, serverID string, paths []string) error {
	e := deed("file.delete", serverID, paths...)
	at, err := s.changing(ctx, e, access.FileDelete)
	if err != nil {
		return err
	}
	if err := counted("paths", len(paths)); err != nil {
		return err
	}
	if err := at.deny.CheckWhole(paths...); err != nil {
		return err
	}
	request := &protocol.DeleteFilesRequest{ServerId: at.id}
	for _, p := range paths {
		request.Paths = append(request.Paths, raw(p))
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	_, err = at.calls.DeleteFiles(ctx, connect.NewRequest(request))
	return s.record(ctx, e, err)
}
