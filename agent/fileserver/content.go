package fileserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// readContent answers a file's content, or a part of it.
func (s *Service) readContent(w http.ResponseWriter, r *http.Request) {
	if err := s.content(w, r); err != nil {
		s.refuse(w, r, err)
	}
}

func (s *Service) content(w http.ResponseWriter, r *http.Request) error {
	tree, c, err := s.open(r)
	if err != nil {
		return err
	}
	defer tree.Close()
	f, err := tree.Open(c.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := f.Stat(c.Path)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", unknownType)
	w.Header().Set("ETag", fmt.Sprintf("\"%x-%x\"", e.ModifiedAt.UnixNano(), e.Size))
	http.ServeContent(w, r, "", e.ModifiedAt, f)
	return nil
}

// writeContent replaces a file's content by the body.
func (s *Service) writeContent(w http.ResponseWriter, r *http.Request) {
	e, err := s.replace(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	body, err := proto.Marshal(entry(e))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/proto")
	_, _ = w.Write(body) // who has gone away does not hear of it
}

func (s *Service) replace(r *http.Request) (files.Entry, error) {
	tree, c, err := s.open(r)
	if err != nil {
		return files.Entry{}, err
	}
	defer tree.Close()
	out, err := tree.Replace(c.Path, files.As{
		Mode: fs.FileMode(c.Mode), UnmodifiedSince: c.UnmodifiedSince, New: c.New, Parents: c.Parents,
	})
	if err != nil {
		return files.Entry{}, err
	}
	defer out.Abort()
	if _, err := io.Copy(out, r.Body); err != nil {
		return files.Entry{}, err
	}
	return out.Commit()
}

// open opens the tree that a request is about.
func (s *Service) open(r *http.Request) (*files.Tree, protocol.Content, error) {
	c, err := protocol.ParseContent(r.URL.RawQuery)
	if err != nil {
		return nil, c, fault.New(fault.BadUserInput, "The request names no file: %s.", err)
	}
	tree, err := s.config.Files.Tree(c.ServerID)
	return tree, c, err
}

// refuse answers an error. A fault keeps its sentence; anything else is logged here and told without details.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	for _, name := range []string{"ETag", "Last-Modified", "Content-Range", "Accept-Ranges"} {
		w.Header().Del(name)
	}
	if !protocol.Refuse(w, err) && r.Context().Err() == nil && !errors.Is(err, context.Canceled) {
		s.config.Logger.LogAttrs(r.Context(), slog.LevelError, "work with files failed", slog.Any("error", err))
	}
}
