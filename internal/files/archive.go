package files

import (
	"context"
	"path"
	"strings"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// CompressInput is an archive as it is to be.
type CompressInput struct {
	ServerID string
	Paths    []string
	// Archive is its path, where nothing may be.
	Archive string
	// Format is what the name says when nil.
	Format *kind.ArchiveFormat
}

// Compress packs files into an archive. It needs file.write.
func (s *Service) Compress(ctx context.Context, in CompressInput) (*Transfer, error) {
	e := deed("file.compress", in.ServerID, append([]string{in.Archive}, in.Paths...)...)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := counted("paths", len(in.Paths)); err != nil {
		return nil, err
	}
	if err := at.deny.Check(append([]string{in.Archive}, in.Paths...)...); err != nil {
		return nil, err
	}
	format, err := formatOf(in.Archive, in.Format)
	if err != nil {
		return nil, err
	}
	request := &protocol.CompressFilesRequest{ServerId: at.id, Archive: raw(in.Archive), Format: archives[format], Leave: at.deny.Patterns()}
	for _, p := range in.Paths {
		request.Paths = append(request.Paths, raw(p))
	}
	return s.begin(ctx, e, kind.FileWorkCompress, in.Archive, func(ctx context.Context) (progress, error) {
		return stream(at.calls.CompressFiles(ctx, connect.NewRequest(request)))
	})
}

// formatOf is the format of an archive that is made: the one that was asked for, which its name must not contradict, since it
// could not be unpacked then.
func formatOf(name string, asked *kind.ArchiveFormat) (kind.ArchiveFormat, error) {
	name = strings.ToLower(name)
	for f, end := range endings {
		short := map[kind.ArchiveFormat]string{kind.ArchiveFormatTarGzip: ".tgz", kind.ArchiveFormatTarZstd: ".tzst"}[f]
		if strings.HasSuffix(name, end) || short != "" && strings.HasSuffix(name, short) {
			if asked != nil && *asked != f {
				return "", fault.Input("archive", "An archive of this format has a name that ends with %s.", endings[*asked])
			}
			return f, nil
		}
	}
	if asked != nil {
		return "", fault.Input("archive", "An archive of this format has a name that ends with %s.", endings[*asked])
	}
	return "", fault.Input("archive", "The name of an archive ends with .zip, .tar.gz, .tar.zst or .tar.")
}

// DecompressInput is an archive that is to be unpacked.
type DecompressInput struct {
	ServerID, Archive string
	// Path is the directory to unpack into; the one that the archive is in when nil.
	Path *string
}

// Decompress unpacks an archive. Files that are there are replaced by those of the archive. It needs file.write.
func (s *Service) Decompress(ctx context.Context, in DecompressInput) (*Transfer, error) {
	into := path.Dir("/" + clean(in.Archive))
	if in.Path != nil {
		into = *in.Path
	}
	e := deed("file.decompress", in.ServerID, in.Archive, into)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	if err := at.deny.Check(in.Archive, into); err != nil {
		return nil, err
	}
	request := &protocol.DecompressFileRequest{ServerId: at.id, Archive: raw(in.Archive), Path: raw(into), Leave: at.deny.Patterns()}
	return s.begin(ctx, e, kind.FileWorkDecompress, into, func(ctx context.Context) (progress, error) {
		return stream(at.calls.DecompressFile(ctx, connect.NewRequest(request)))
	})
}

// Look names what is in an archive, up to so many entries, and reports whether there is more. It needs file.read.
func (s *Service) Look(ctx context.Context, serverID, archive string, most int) ([]Entry, bool, error) {
	at, err := s.reading(ctx, serverID)
	if err != nil {
		return nil, false, err
	}
	if err := at.deny.Check(archive); err != nil {
		return nil, false, err
	}
	if most < 1 || most > maxItems {
		return nil, false, fault.Input("limit", "1 to %d names can be had of an archive.", maxItems)
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	answer, err := at.calls.LookIntoArchive(ctx, connect.NewRequest(&protocol.LookIntoArchiveRequest{
		ServerId: at.id, Archive: raw(archive), Limit: int32(most),
	}))
	if err != nil {
		return nil, false, err
	}
	return entriesOf(answer.Msg.GetEntries()), answer.Msg.GetMore(), nil
}

// PullInput is a file that is to be had from somewhere else.
type PullInput struct {
	ServerID, URL string
	// Path is where it is to be; with a slash at its end the directory in which it keeps its name.
	Path string
}

// Pull downloads a file from a public address. It needs file.write.
func (s *Service) Pull(ctx context.Context, in PullInput) (*Transfer, error) {
	e := deed("file.pull", in.ServerID, in.Path)
	at, err := s.changing(ctx, e, access.FileWrite)
	if err != nil {
		return nil, err
	}
	from, err := egress.CheckURL(in.URL)
	if err != nil {
		return nil, fault.Input("url", "This is no address to pull a file from: %s.", err)
	}
	e.Details["host"] = from.Host // the rest may hold a secret
	if in.Path == "" || strings.HasSuffix(in.Path, "/") {
		name := path.Base(path.Clean("/" + from.Path))
		if name == "/" {
			return nil, fault.Input("path", "The address has no name for the file: give one.")
		}
		in.Path += name
	}
	if err := at.deny.Check(in.Path); err != nil {
		return nil, err
	}
	request := &protocol.PullFileRequest{ServerId: at.id, Url: from.String(), Path: raw(in.Path)}
	for _, network := range s.Allowed {
		request.AllowedNetworks = append(request.AllowedNetworks, network.String())
	}
	return s.begin(ctx, e, kind.FileWorkPull, in.Path, func(ctx context.Context) (progress, error) {
		return stream(at.calls.PullFile(ctx, connect.NewRequest(request)))
	})
}
