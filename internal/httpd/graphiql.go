package httpd

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// page holds the GraphiQL page as `make graphiql` bundles it: compressed files and nothing else. It loads nothing from
// anywhere but the panel.
//
//go:embed graphiql
var page embed.FS

// graphiqlPolicy allows scripts, workers and sockets of the panel only. Styles may be inline, since the editor computes
// them.
const graphiqlPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'"

// gzipTrailer is the length of a check sum and a size.
const gzipTrailer = 8

// asset is one file of the page.
type asset struct {
	packed      []byte
	size        int64 // unpacked
	contentType string
	etag        string
	cache       string
}

type graphiql map[string]*asset

// contentTypes are ours, so that they do not depend on what the machine's own table says.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
	".txt":  "text/plain; charset=utf-8",
	".woff": "font/woff", ".woff2": "font/woff2",
}

// The two forms of the page; one of them is served at /.
const openPage, guardedPage = "/index.html", "/signed-in.html"

// newGraphiQL loads the page, which is for everybody, or for those who have signed in.
func newGraphiQL(signedIn bool) (graphiql, error) {
	files := graphiql{}
	err := fs.WalkDir(page, "graphiql", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		route, a, err := loadAsset(name)
		files[route] = a
		return err
	})
	if err != nil {
		return nil, err
	}
	index, other := openPage, guardedPage
	if signedIn {
		index, other = other, index
	}
	if files["/"] = files[index]; files["/"] == nil {
		return nil, fmt.Errorf("graphiql%s.gz: %w", index, fs.ErrNotExist)
	}
	delete(files, index)
	delete(files, other)
	return files, nil
}

func loadAsset(name string) (string, *asset, error) {
	packed, err := page.ReadFile(name)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	file, isPacked := strings.CutSuffix(strings.TrimPrefix(name, "graphiql"), ".gz")
	kind := contentTypes[path.Ext(file)]
	if !isPacked || kind == "" {
		return "", nil, fmt.Errorf("%s: not a compressed file of a known type", name)
	}
	if len(packed) < gzipTrailer {
		return "", nil, fmt.Errorf("%s: cut short", name)
	}
	// The last four bytes are the unpacked size (RFC 1952, section 2.3.1): unpacking everything here would cost time
	// at every start.
	size := binary.LittleEndian.Uint32(packed[len(packed)-4:])
	sum := sha256.Sum256(packed)
	a := &asset{packed: packed, size: int64(size), contentType: kind, etag: hex.EncodeToString(sum[:8]), cache: "no-cache"}
	if strings.HasPrefix(file, "/assets/") { // their names change with their content
		a.cache = "public, max-age=31536000, immutable"
	}
	return file, a, nil
}

// ServeHTTP implements http.Handler.
func (g graphiql) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := g[r.URL.Path]
	if a == nil {
		writeError(w, problem{http.StatusNotFound, "NOT_FOUND", "There is nothing here. The API answers at /graphql.", 0})
		return
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		writeError(w, problem{http.StatusMethodNotAllowed, "BAD_REQUEST", "This page can only be read. The API answers at /graphql.", 0})
		return
	}
	h.Set("Content-Security-Policy", graphiqlPolicy)
	h.Set("Cache-Control", a.cache)
	h.Set("Vary", "Accept-Encoding")
	packed := acceptsGzip(r.Header)
	etag := `"` + a.etag + `"`
	if packed {
		etag = `"` + a.etag + `-gz"`
	}
	h.Set("ETag", etag)
	if headerHas(r.Header, "If-None-Match", etag) || headerHas(r.Header, "If-None-Match", "W/"+etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.contentType)
	if packed {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(a.packed)))
	} else {
		h.Set("Content-Length", strconv.FormatInt(a.size, 10))
	}
	if r.Method != http.MethodHead {
		a.write(w, packed)
	}
}

// write sends the content. A client that goes away in the middle is no error of ours, and the embedded bytes have been
// unpacked once before.
func (a *asset) write(w io.Writer, packed bool) {
	if packed {
		_, _ = w.Write(a.packed)
		return
	}
	if unpacked, err := gzip.NewReader(bytes.NewReader(a.packed)); err == nil {
		_, _ = io.Copy(w, unpacked) //nolint:gosec // our own bundle, whose size is known
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(h http.Header) bool {
	accepted := false
	for element := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, parameters, _ := strings.Cut(element, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "x-gzip" && coding != "*" {
			continue
		}
		_, weight, found := strings.Cut(strings.ToLower(parameters), "q=")
		q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		allowed := !found || (err == nil && q > 0)
		if coding != "*" {
			return allowed
		}
		accepted = allowed
	}
	return accepted
}
