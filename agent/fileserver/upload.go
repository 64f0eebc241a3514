package fileserver

import (
	"context"
	"crypto/sha1" //nolint:gosec // the one algorithm that every client of tus knows; it guards against accidents
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// sweepEvery is how often uploads that rest are looked for.
const sweepEvery = time.Hour

func uploadState(u files.Upload) *protocol.UploadState {
	return &protocol.UploadState{Offset: u.Offset, Size: u.Size, Complete: u.Complete}
}

// CreateUpload begins an upload.
func (s *Service) CreateUpload(ctx context.Context, req *connect.Request[protocol.CreateUploadRequest]) (*connect.Response[protocol.UploadState], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.UploadState, error) {
		u, err := tree.CreateUpload(req.Msg.GetUploadId(), string(req.Msg.GetPath()), req.Msg.GetSize())
		if err != nil {
			return nil, err
		}
		return uploadState(u), nil
	})
}

// StatUpload tells how far an upload is.
func (s *Service) StatUpload(ctx context.Context, req *connect.Request[protocol.StatUploadRequest]) (*connect.Response[protocol.UploadState], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.UploadState, error) {
		u, err := tree.StatUpload(req.Msg.GetUploadId())
		if err != nil {
			return nil, err
		}
		return uploadState(u), nil
	})
}

// RemoveUpload forgets an upload.
func (s *Service) RemoveUpload(ctx context.Context, req *connect.Request[protocol.RemoveUploadRequest]) (*connect.Response[protocol.RemoveUploadResponse], error) {
	return with(ctx, s, req.Msg.GetServerId(), func(tree *files.Tree) (*protocol.RemoveUploadResponse, error) {
		return &protocol.RemoveUploadResponse{}, tree.RemoveUpload(req.Msg.GetUploadId())
	})
}

// errChecksum refuses bytes that were damaged on their way.
var errChecksum = errors.New("the bytes have another checksum")

// appendUpload takes the next bytes of an upload in.
func (s *Service) appendUpload(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	offset, err := strconv.ParseInt(query.Get("offset"), 10, 64)
	if err != nil {
		s.refuse(w, r, fault.New(fault.BadUserInput, "The request does not say where its bytes begin."))
		return
	}
	body, check, err := checked(r.Body, query.Get("checksum"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	tree, err := s.config.Files.Tree(query.Get("server"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer tree.Close()
	u, err := tree.Append(query.Get("upload"), offset, body, check)
	if errors.Is(err, errChecksum) {
		w.WriteHeader(protocol.StatusChecksum)
		return
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	state, err := proto.Marshal(uploadState(u))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/proto")
	_, _ = w.Write(state) // who has gone away does not hear of it
}

// checked returns a body whose checksum can be looked at when it has been read.
func checked(body io.Reader, want string) (io.Reader, func() error, error) {
	if want == "" {
		return body, nil, nil
	}
	algorithm, sum, _ := strings.Cut(want, ":")
	var h hash.Hash
	switch algorithm {
	case "sha1":
		h = sha1.New() //nolint:gosec // as above
	case "sha256":
		h = sha256.New()
	default:
		return nil, nil, fault.New(fault.BadUserInput, "Checksums are sha1 or sha256.")
	}
	return io.TeeReader(body, h), func() error {
		if hex.EncodeToString(h.Sum(nil)) != sum {
			return errChecksum
		}
		return nil
	}, nil
}

// Tidy puts out of the way what an agent that was killed has left. Nothing may go on yet.
func (s *Service) Tidy() error {
	ids, err := s.config.Files.List()
	for _, id := range ids {
		err = errors.Join(err, s.config.Files.Tidy(id))
	}
	return err
}

// Run frees the room of what is out of the way and, until ctx ends, of uploads that have rested for too long.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		ids, err := s.config.Files.List()
		for _, id := range ids {
			err = errors.Join(err, s.sweep(ctx, id))
		}
		if err != nil && ctx.Err() == nil {
			s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "remains of work with files cannot be removed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context, serverID string) error {
	tree, err := s.config.Files.Tree(serverID)
	if err != nil {
		return nil
	}
	defer tree.Close()
	return errors.Join(tree.ForgetUploads(time.Now().Add(-protocol.UploadLife)), tree.Sweep(ctx))
}
