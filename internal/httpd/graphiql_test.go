package httpd_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/internal/httpd"
)

func TestGraphiQLPage(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, nil)
	index := ask(edge, http.MethodGet, "/", nil)
	if index.Code != http.StatusOK || !strings.HasPrefix(index.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("the page: %d %v", index.Code, index.Header())
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(index.Body.String(), -1)
	if len(links) < 3 {
		t.Fatalf("the page links to %d files:\n%s", len(links), index.Body)
	}
	for _, link := range links {
		if !strings.HasPrefix(link[1], "/") || strings.HasPrefix(link[1], "//") {
			t.Errorf("the page needs %s, which is not served by the panel", link[1])
			continue
		}
		plain := ask(edge, http.MethodGet, link[1], nil)
		packed := ask(edge, http.MethodGet, link[1], header("Accept-Encoding", "br, gzip"))
		if plain.Code != http.StatusOK || packed.Code != http.StatusOK {
			t.Errorf("%s: %d plain, %d packed", link[1], plain.Code, packed.Code)
			continue
		}
		if got := plain.Header().Get("Content-Length"); got != strconv.Itoa(plain.Body.Len()) {
			t.Errorf("%s: length %s, %d bytes", link[1], got, plain.Body.Len())
		}
		if packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: encodings %v and %v", link[1], plain.Header(), packed.Header())
		}
		unpacked, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(unpacked); err != nil || string(content) != plain.Body.String() {
			t.Errorf("%s: packed and plain content differ (%v)", link[1], err)
		}
	}
}

func TestGraphiQLHasNoInlineScript(t *testing.T) {
	t.Parallel()
	body := ask(newEdge(t, nil), http.MethodGet, "/", nil).Body.String()
	for _, tag := range regexp.MustCompile(`<script[^>]*>`).FindAllString(body, -1) {
		if !strings.Contains(tag, "src=") {
			t.Errorf("the policy refuses %s", tag)
		}
	}
}

func TestGraphiQLNegotiation(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, nil)
	for accept, packed := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true,
		"*;q=0": false, "*, gzip;q=0": false, "gzip, *;q=0": true, "identity": false, "gzipped": false, "gzip;q=x": false,
	} {
		w := ask(edge, http.MethodGet, "/", header("Accept-Encoding", accept))
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("Accept-Encoding %q: packed is %t, want %t", accept, got, packed)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary is %q", accept, w.Header().Get("Vary"))
		}
	}
}

func TestGraphiQLCaching(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, nil)
	first := ask(edge, http.MethodGet, "/", nil)
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the page is cached: %q", got)
	}
	script := regexp.MustCompile(`src="(/assets/[^"]+)"`).FindStringSubmatch(first.Body.String())[1]
	if got := ask(edge, http.MethodGet, script, nil).Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("a file named for its content is not cached: %q", got)
	}
	etag := first.Header().Get("ETag")
	again := ask(edge, http.MethodGet, "/", header("If-None-Match", `"x", W/`+etag))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("unchanged page: %d, %d bytes", again.Code, again.Body.Len())
	}
	if other := ask(edge, http.MethodGet, "/", header("If-None-Match", etag, "Accept-Encoding", "gzip")); other.Code != http.StatusOK {
		t.Error("the packed and the plain page share an ETag")
	}
	if head := ask(edge, http.MethodHead, "/", nil); head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD: %d, %d bytes", head.Code, head.Body.Len())
	}
	if post := ask(edge, http.MethodPost, "/", nil); post.Code != http.StatusMethodNotAllowed || post.Header().Get("Allow") == "" {
		t.Errorf("POST: %d %v", post.Code, post.Header())
	}
}

// TestGraphiQLForThoseWhoHaveSignedIn serves the page in the form that shows nothing to others.
func TestGraphiQLForThoseWhoHaveSignedIn(t *testing.T) {
	t.Parallel()
	for guarded, want := range map[bool]bool{false: false, true: true} {
		edge := newEdge(t, func(c *httpd.Config) { c.GraphiQLSignedIn = guarded })
		if got := strings.Contains(ask(edge, http.MethodGet, "/", nil).Body.String(), `data-for="signed-in"`); got != want {
			t.Errorf("guarded %t: the page is the guarded one: %t", guarded, got)
		}
		for _, name := range []string{"/index.html", "/signed-in.html"} {
			if code := ask(edge, http.MethodGet, name, nil).Code; code != http.StatusNotFound {
				t.Errorf("guarded %t: %s is served, too: %d", guarded, name, code)
			}
		}
	}
}
