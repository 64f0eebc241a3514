package filehttp

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog" //nolint:depguard // what the library of tus logs with; it is told to be silent

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/files"
)

const (
	tusVersion = "1.0.0"
	// extensions are what is offered beside the core of tus.
	extensions = "creation,checksum,termination,expiration"
	// statusChecksum is tus's status for bytes that were damaged on their way.
	statusChecksum = 460
)

// algorithms are those of checksums, as tus lists them.
const algorithms = "sha1,sha256"

// uploads is the store of the tus library: what it asks for is one upload, which the request's address leads to.
type uploads struct{}

type uploadKey struct{}

// upload is one request to an upload.
type upload struct {
	*files.Resumable

	checksum string
}

var (
	_ tus.DataStore           = uploads{}
	_ tus.TerminaterDataStore = uploads{}
	_ tus.Upload              = (*upload)(nil)
	_ tus.TerminatableUpload  = (*upload)(nil)
)

// newTus returns the library's handler of uploads.
func newTus() (*tus.UnroutedHandler, error) {
	composer := tus.NewStoreComposer()
	composer.UseCore(uploads{})
	composer.UseTerminater(uploads{})
	return tus.NewUnroutedHandler(tus.Config{
		StoreComposer: composer, BasePath: "/files/upload/", DisableDownload: true, DisableConcatenation: true,
		Cors: &tus.CorsConfig{Disable: true}, GracefulRequestCompletionTimeout: time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// NewUpload never happens: the API makes uploads.
func (uploads) NewUpload(context.Context, tus.FileInfo) (tus.Upload, error) {
	return nil, tus.ErrNotImplemented
}

// GetUpload returns the upload of the request.
func (uploads) GetUpload(ctx context.Context, _ string) (tus.Upload, error) {
	u, ok := ctx.Value(uploadKey{}).(*upload)
	if !ok {
		return nil, tus.ErrNotFound
	}
	return u, nil
}

// AsTerminatableUpload returns the upload, which can be cancelled.
func (uploads) AsTerminatableUpload(u tus.Upload) tus.TerminatableUpload {
	return u.(*upload) //nolint:forcetypeassert,errcheck // GetUpload made it
}

// GetInfo tells how far the upload is.
func (u *upload) GetInfo(context.Context) (tus.FileInfo, error) {
	offset, err := u.Offset()
	return tus.FileInfo{ID: u.ID, Size: u.Size, Offset: offset}, told(err)
}

// WriteChunk passes bytes on to the node.
func (u *upload) WriteChunk(_ context.Context, offset int64, body io.Reader) (int64, error) {
	end, err := u.Append(offset, body, u.checksum)
	return end - offset, told(err)
}

// FinishUpload has nothing to do: the node has put the file at its place.
func (u *upload) FinishUpload(context.Context) error { return nil }

// GetReader never happens: downloads have addresses of their own.
func (u *upload) GetReader(context.Context) (io.ReadCloser, error) { return nil, tus.ErrNotImplemented }

// Terminate cancels the upload.
func (u *upload) Terminate(context.Context) error { return told(u.Cancel()) }

// told makes an error one of the library's, which answers with it.
func told(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, files.ErrChecksum) {
		return tus.NewError("CHECKSUM_MISMATCH", "These bytes have another checksum: send them again.", statusChecksum)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code == fault.Internal {
		return err
	}
	return tus.NewError(string(f.Code), f.Message, statuses[f.Code])
}

// options tells clients what is offered.
func (h *Handler) options(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Tus-Resumable", tusVersion)
	header.Set("Tus-Version", tusVersion)
	header.Set("Tus-Extension", extensions)
	header.Set("Tus-Checksum-Algorithm", algorithms)
	w.WriteHeader(http.StatusNoContent)
}

// upload answers requests to an upload.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) {
	u, err := h.config.Files.Resume(r.Context(), r.PathValue("token"))
	if err != nil {
		w.Header().Set("Tus-Resumable", tusVersion)
		h.refuse(w, r, err)
		return
	}
	defer u.Close()
	one := &upload{Resumable: u}
	if one.checksum, err = checksum(r.Header.Get("Upload-Checksum")); err != nil {
		w.Header().Set("Tus-Resumable", tusVersion)
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Upload-Expires", u.ExpiresAt.UTC().Format(http.TimeFormat))
	if r.Method == http.MethodPost {
		h.create(w, r, one)
		return
	}
	// A body that waits for the client ends with the right, too.
	control := http.NewResponseController(w)
	defer context.AfterFunc(u.Context, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })() //nolint:contextcheck // it is the request's, and ends with the right
	r = r.WithContext(context.WithValue(u.Context, uploadKey{}, one))                             //nolint:contextcheck // as above
	r.Body = &permitted{ReadCloser: r.Body, ctx: u.Context}
	r.URL.Path = "/files/upload/" + u.ID
	h.tus.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodHead:
			h.tus.HeadFile(w, r)
		case http.MethodPatch:
			h.tus.PatchFile(w, r)
		default:
			h.tus.DelFile(w, r)
		}
	})).ServeHTTP(w, r)
}

// permitted is a body that ends with a right. Whoever moves the deadline of a read meanwhile does so before the next one.
type permitted struct {
	io.ReadCloser

	ctx context.Context //nolint:containedctx // that of one request
}

// Read reads.
func (p *permitted) Read(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	return p.ReadCloser.Read(b)
}

// create answers clients that begin with the creation of an upload, which the API has done: it is the address that they ask.
func (h *Handler) create(w http.ResponseWriter, r *http.Request, u *upload) {
	w.Header().Set("Tus-Resumable", tusVersion)
	if size := r.Header.Get("Upload-Length"); size != strconv.FormatInt(u.Size, 10) {
		h.refuse(w, r, fault.New(fault.BadUserInput, "This address is for a file of %d bytes.", u.Size))
		return
	}
	w.Header().Set("Location", r.URL.Path)
	w.WriteHeader(http.StatusCreated)
}

// checksum reads a checksum as tus writes it: the algorithm, a space and the sum in base64.
func checksum(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	algorithm, sum, _ := strings.Cut(header, " ")
	bytes, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sum))
	if err != nil || algorithm != "sha1" && algorithm != "sha256" {
		return "", fault.New(fault.BadUserInput, "A checksum is sha1 or sha256, a space, and the sum in base64.")
	}
	return algorithm + ":" + hex.EncodeToString(bytes), nil
}
