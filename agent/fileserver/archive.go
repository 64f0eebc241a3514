package fileserver

import (
	"io"
	"log/slog"
	"net/http"

	ignore "github.com/sabhiram/go-gitignore"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/archive"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

var formats = map[protocol.ArchiveFormat]archive.Format{
	protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR_GZ: archive.TarGzip, protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR_ZST: archive.TarZstd,
	protocol.ArchiveFormat_ARCHIVE_FORMAT_ZIP: archive.Zip, protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR: archive.Tar,
}

// streamArchive packs files into the answer while it is read.
func (s *Service) streamArchive(w http.ResponseWriter, r *http.Request) {
	asked := &protocol.ArchiveRequest{}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err == nil {
		err = proto.Unmarshal(body, asked)
	}
	if err != nil {
		s.refuse(w, r, fault.New(fault.BadUserInput, "The request for an archive is malformed.").Wrap(err))
		return
	}
	tree, err := s.config.Files.Tree(asked.GetServerId())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer tree.Close()
	packing := archive.Packing{Format: formats[asked.GetFormat()], Leave: leaving(asked.GetLeave())}
	for _, name := range asked.GetPaths() {
		// What is missing is told as long as there is a way to tell it.
		if _, err := tree.Stat(string(name), false); err != nil {
			s.refuse(w, r, err)
			return
		}
		packing.Paths = append(packing.Paths, string(name))
	}
	w.Header().Set("Content-Type", unknownType)
	out := &begun{ResponseWriter: w}
	err = archive.Write(r.Context(), out, tree, packing)
	switch {
	case err == nil:
	case !out.yet:
		s.refuse(w, r, err)
	default:
		if r.Context().Err() == nil {
			s.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "an archive was broken off", slog.Any("error", err))
		}
		panic(http.ErrAbortHandler) // half of an archive must not look like a whole one
	}
}

// begun notes whether something was written.
type begun struct {
	http.ResponseWriter

	yet bool
}

// Write writes.
func (b *begun) Write(p []byte) (int, error) {
	b.yet = true
	return b.ResponseWriter.Write(p)
}

// leaving is what patterns as in .gitignore leave out; nil for none.
func leaving(patterns []string) func(string) bool {
	if len(patterns) == 0 {
		return nil
	}
	return ignore.CompileIgnoreLines(patterns...).MatchesPath
}
