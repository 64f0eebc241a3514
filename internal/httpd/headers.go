package httpd

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// securityHeaders sets what holds for every answer. Handlers may replace single ones, as the GraphiQL page does with
// the content security policy.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// origins are the foreign origins whose pages may use the API.
type origins struct {
	any  bool
	list []string
}

func parseOrigins(allowed []string) (origins, error) {
	var o origins
	for _, text := range allowed {
		if text == "*" {
			o.any = true
			continue
		}
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return origins{}, fmt.Errorf("allowed origin %q: want a scheme and a host, such as https://panel.example.com", text)
		}
		o.list = append(o.list, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return o, nil
}

// allows reports whether a page of this origin may use the API that was asked for under host.
func (o origins) allows(origin, host string) bool {
	if o.any || slices.Contains(o.list, strings.ToLower(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	// The scheme is not compared: behind a proxy that ends TLS we do not know our own.
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// exposed are the headers by which pages follow downloads and uploads.
const exposed = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location, " +
	"Tus-Checksum-Algorithm, Tus-Extension, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Offset"

// crossOrigin refuses pages of foreign origins, answers the preflight requests of allowed ones, and lets programs,
// which send no Origin, through.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		if !s.origins.allows(origin, r.Host) {
			writeGraphQLError(w, problem{
				http.StatusForbidden, "FORBIDDEN",
				"Pages of this origin may not use the API. Add it to the allowed origins of the panel.", 0,
			})
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", requestIDHeader+", Retry-After, "+exposed)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(h, r.Header.Get("Access-Control-Request-Headers"))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// preflight allows the headers that were asked for: none of them means anything to us but by its value, and the origin
// has been checked.
func preflight(h http.Header, headers string) {
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE")
	h.Set("Access-Control-Max-Age", "600")
	if headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
}
