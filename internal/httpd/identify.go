package httpd

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/request"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 64
	maxUserAgent    = 256
)

// identify gives each request its id and finds out where it comes from.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerAddr(r)
		trusted := s.trusts(peer)
		info := request.Info{ID: rand.Text(), IP: peer, UserAgent: clip(r.UserAgent(), maxUserAgent)}
		if trusted {
			info.IP = s.forwardedFor(r, peer)
			if id := r.Header.Get(requestIDHeader); validRequestID(id) {
				info.ID = id
			}
		}
		w.Header().Set(requestIDHeader, info.ID)
		next.ServeHTTP(w, r.WithContext(request.NewContext(r.Context(), info)))
	})
}

func peerAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, prefix := range s.config.TrustedProxies {
		if addr.IsValid() && prefix.Contains(addr.WithZone("")) {
			return true
		}
	}
	return false
}

// forwardedFor walks X-Forwarded-For from its end, where the nearest proxy writes, to the first address that is not a
// trusted proxy. What stands before that is the client's own claim.
func (s *Server) forwardedFor(r *http.Request, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	client := peer
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			break
		}
		client = addr
		if !s.trusts(addr) {
			break
		}
	}
	return client
}

// parseHop reads one element of X-Forwarded-For; some proxies add a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if addrPort, err := netip.ParseAddrPort(hop); err == nil {
		return addrPort.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return addr.Unmap(), err == nil
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
