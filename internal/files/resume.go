package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// uploadLife is how long an upload may take altogether.
const uploadLife = protocol.UploadLife

// ErrChecksum refuses bytes that were damaged on their way.
var ErrChecksum = errors.New("the bytes have another checksum")

// ResumableInput is a file that is to come piece by piece.
type ResumableInput struct {
	ServerID, Path string
	// Size is its length in bytes.
	Size int64
}

// CreateUpload returns an address to which a file can be sent piece by piece, by the protocol tus, for a day and for as long as
// whoever asked for it may write there. It needs file.write.
func (s *Service) CreateUpload(ctx context.Context, in ResumableInput) (*Address, error) {
	e := deed("file.upload", in.ServerID, in.Path)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := at.deny.Check(in.Path); err != nil {
		return nil, err
	}
	t := ticket{ServerID: at.id, Paths: []string{in.Path}, UploadID: rand.Text(), Size: in.Size}
	signed, expires, err := s.sign(ctx, token.AudienceUpload, t, uploadLife)
	if err != nil {
		return nil, err
	}
	if _, err := at.calls.CreateUpload(ctx, connect.NewRequest(&protocol.CreateUploadRequest{
		ServerId: at.id, UploadId: t.UploadID, Path: raw(in.Path), Size: in.Size,
	})); err != nil {
		return nil, err
	}
	e.Details["bytes"] = in.Size
	if err := s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil }); err != nil {
		return nil, err
	}
	return &Address{URL: s.address("upload", signed, ""), ExpiresAt: expires}, nil
}

// Resumable is what an address of an upload leads to.
type Resumable struct {
	// ID is unique, and Size the length of the whole file.
	ID        string
	Size      int64
	ExpiresAt time.Time
	// Context ends when the right to write is lost.
	Context context.Context //nolint:containedctx // that of one request
	// Close must be called.
	Close func()

	service *Service
	at      *site
}

// Resume opens what a signed address leads to. It fails with UNAUTHENTICATED for an address that is not good any more.
func (s *Service) Resume(ctx context.Context, signed string) (*Resumable, error) {
	t, ctx, err := s.redeem(ctx, token.AudienceUpload, signed)
	if err != nil {
		return nil, err
	}
	ctx, closeGate, err := s.Gate.Open(ctx, access.FileWrite, access.On(t.ServerID))
	if err != nil {
		return nil, err
	}
	at, err := s.changing(ctx, deed("file.upload", t.ServerID, t.Paths...), access.FileWrite)
	if err == nil {
		err = at.deny.Check(t.Paths...)
	}
	if err != nil {
		closeGate()
		return nil, err
	}
	return &Resumable{ID: t.UploadID, Size: t.Size, ExpiresAt: t.expires, Context: ctx, Close: closeGate, service: s, at: at}, nil
}

// Offset is how many bytes the node has.
func (u *Resumable) Offset() (int64, error) {
	answer, err := u.at.calls.StatUpload(u.Context, connect.NewRequest(&protocol.StatUploadRequest{ServerId: u.at.id, UploadId: u.ID}))
	if err != nil {
		return 0, err
	}
	return answer.Msg.GetOffset(), nil
}

// Append sends the next bytes to the node and returns where those after them begin. The checksum is empty, or an algorithm, a
// colon and hexadecimal digits; bytes with another one are ErrChecksum.
func (u *Resumable) Append(offset int64, body io.Reader, checksum string) (int64, error) {
	query := url.Values{"server": {u.at.id}, "upload": {u.ID}, "offset": {strconv.FormatInt(offset, 10)}}
	if checksum != "" {
		query.Set("checksum", checksum)
	}
	request, err := http.NewRequestWithContext(u.Context, http.MethodPatch, protocol.UploadPath+"?"+query.Encode(), body)
	if err != nil {
		return offset, fmt.Errorf("send a part of a file: %w", err)
	}
	answer, err := u.service.Link.Send(u.at.nodeID, request)
	if err != nil {
		return offset, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == protocol.StatusChecksum {
		return offset, ErrChecksum
	}
	told, err := io.ReadAll(io.LimitReader(answer.Body, maxEntry))
	if err != nil {
		return offset, fault.New(fault.NodeOffline, "The node's answer broke off: ask how far the upload is.").Wrap(err)
	}
	state := &protocol.UploadState{}
	if err := proto.Unmarshal(told, state); err != nil {
		return offset, fmt.Errorf("decode what a node says of an upload: %w", err)
	}
	return state.GetOffset(), nil
}

// Cancel forgets the upload.
func (u *Resumable) Cancel() error {
	_, err := u.at.calls.RemoveUpload(u.Context, connect.NewRequest(&protocol.RemoveUploadRequest{ServerId: u.at.id, UploadId: u.ID}))
	return err
}
