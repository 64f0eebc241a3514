package files

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// downloadLife is how long an address of a download can be used. A download that has begun may take longer.
const downloadLife = time.Hour

// DownloadInput names what is to be downloaded.
type DownloadInput struct {
	ServerID string
	// Paths is one file, or files and directories that come as an archive.
	Paths []string
	// Format is that of the archive; ZIP when nil. With one file it makes an archive of that.
	Format *kind.ArchiveFormat
}

// Address is a signed address.
type Address struct {
	URL       string
	ExpiresAt time.Time
}

var (
	archives = map[kind.ArchiveFormat]protocol.ArchiveFormat{
		kind.ArchiveFormatZip: protocol.ArchiveFormat_ARCHIVE_FORMAT_ZIP, kind.ArchiveFormatTar: protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR,
		kind.ArchiveFormatTarGzip: protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR_GZ, kind.ArchiveFormatTarZstd: protocol.ArchiveFormat_ARCHIVE_FORMAT_TAR_ZST,
	}
	endings = map[kind.ArchiveFormat]string{
		kind.ArchiveFormatZip: ".zip", kind.ArchiveFormatTar: ".tar", kind.ArchiveFormatTarGzip: ".tar.gz", kind.ArchiveFormatTarZstd: ".tar.zst",
	}
)

// CreateDownload returns an address at which the files can be had without signing in, for an hour and for as long as whoever
// asked for it may read them. It needs file.read.
func (s *Service) CreateDownload(ctx context.Context, in DownloadInput) (*Address, error) {
	e := deed("file.download", in.ServerID, in.Paths...)
	if err := access.Check(ctx, s.Client, access.FileRead, access.On(in.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	at, err := s.reading(ctx, in.ServerID)
	if err != nil {
		return nil, err
	}
	if err := counted("paths", len(in.Paths)); err != nil {
		return nil, err
	}
	if err := at.deny.Check(in.Paths...); err != nil {
		return nil, err
	}
	t := ticket{ServerID: at.id, Paths: in.Paths}
	if in.Format != nil {
		t.Format = string(*in.Format)
	}
	name := path.Base("/" + clean(in.Paths[0]))
	for _, p := range in.Paths {
		answer, err := at.calls.StatFile(ctx, connect.NewRequest(&protocol.StatFileRequest{ServerId: at.id, Path: raw(p)}))
		if err != nil {
			return nil, err
		}
		switch k := answer.Msg.GetEntry().GetKind(); {
		case k == protocol.FileKind_FILE_KIND_DIRECTORY, len(in.Paths) > 1:
			if t.Format == "" {
				t.Format = string(kind.ArchiveFormatZip)
			}
		case k != protocol.FileKind_FILE_KIND_REGULAR:
			return nil, fault.Input("paths", "Only files and directories can be downloaded.")
		}
	}
	if t.Format != "" {
		name = archiveName(in.Paths, kind.ArchiveFormat(t.Format))
	}
	signed, expires, err := s.sign(ctx, token.AudienceDownload, t, downloadLife)
	if err != nil {
		return nil, err
	}
	if err := s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil }); err != nil {
		return nil, err
	}
	return &Address{URL: s.address("download", signed, "/"+url.PathEscape(name)), ExpiresAt: expires}, nil
}

// archiveName is what an archive is called: as what it holds, or as the directory that is in.
func archiveName(paths []string, f kind.ArchiveFormat) string {
	name := path.Base("/" + clean(paths[0]))
	if len(paths) > 1 {
		name = path.Base(path.Dir("/" + clean(paths[0])))
	}
	if name == "/" {
		name = "files"
	}
	return name + endings[f]
}

// Download is what an address of a download leads to.
type Download struct {
	// Answer is the node's: its body must be closed, and ends when the right to read is lost.
	Answer *http.Response
	// Name is what the file is called.
	Name string
	// Context ends when the right to read is lost.
	Context context.Context //nolint:containedctx // that of one download
	// Close must be called.
	Close func()
}

// passed are the headers of a client's request that the node answers itself.
var passed = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// Download opens what a signed address leads to, with the conditions and the range that a client's headers ask for. It fails
// with UNAUTHENTICATED for an address that is not good any more.
func (s *Service) Download(ctx context.Context, signed, method string, header http.Header) (*Download, error) {
	t, ctx, err := s.redeem(ctx, token.AudienceDownload, signed)
	if err != nil {
		return nil, err
	}
	if t.Log != nil || t.BackupID != "" {
		return nil, notThere()
	}
	ctx, closeGate, err := s.Gate.Open(ctx, access.FileRead, access.On(t.ServerID))
	if err != nil {
		return nil, err
	}
	d := &Download{Context: ctx, Close: closeGate}
	if err := s.fetch(ctx, d, t, method, header); err != nil {
		closeGate()
		return nil, err
	}
	return d, nil
}

// fetch asks the node.
func (s *Service) fetch(ctx context.Context, d *Download, t ticket, method string, header http.Header) error {
	at, err := s.reading(ctx, t.ServerID)
	if err != nil {
		return err
	}
	if err := at.deny.Check(t.Paths...); err != nil {
		return err
	}
	var request *http.Request
	if t.Format != "" {
		d.Name = archiveName(t.Paths, kind.ArchiveFormat(t.Format))
		request, err = archiveRequest(ctx, at, t.Paths, kind.ArchiveFormat(t.Format))
	} else {
		d.Name = path.Base("/" + clean(t.Paths[0]))
		c := protocol.Content{ServerID: at.id, Path: string(raw(t.Paths[0]))}
		request, err = http.NewRequestWithContext(ctx, method, protocol.ContentPath+"?"+c.Query(), http.NoBody)
	}
	if err != nil {
		return fmt.Errorf("ask a node for a download: %w", err)
	}
	if t.Format == "" {
		for _, name := range passed {
			if v := header.Values(name); len(v) > 0 {
				request.Header[name] = v
			}
		}
	}
	d.Answer, err = s.Link.Send(at.nodeID, request) //nolint:bodyclose // the caller of Download closes it
	return err
}

func archiveRequest(ctx context.Context, at *site, paths []string, f kind.ArchiveFormat) (*http.Request, error) {
	asked := &protocol.ArchiveRequest{ServerId: at.id, Format: archives[f], Leave: at.deny.Patterns()}
	for _, p := range paths {
		asked.Paths = append(asked.Paths, raw(p))
	}
	body, err := proto.Marshal(asked)
	if err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, http.MethodPost, protocol.ArchivePath, bytes.NewReader(body))
}
