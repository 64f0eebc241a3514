package handler

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// protocolName is the only WebSocket subprotocol that is spoken here.
const protocolName = "graphql-transport-ws"

// maxMessage is the longest message of a client.
const maxMessage int64 = maxBody

// sockets accepts WebSockets, and counts them together with event streams.
type sockets struct {
	handler *Handler
	limits  Sockets

	mu        sync.Mutex
	addresses map[string]int
	users     map[string]int
}

func newSockets(h *Handler) *sockets {
	given := h.config.Sockets
	s := &sockets{
		handler: h,
		limits: Sockets{
			PerAddress:    cmp.Or(given.PerAddress, 200),
			PerUser:       cmp.Or(given.PerUser, 100),
			Subscriptions: cmp.Or(given.Subscriptions, 100),
			InitTimeout:   cmp.Or(given.InitTimeout, 10*time.Second),
			PingInterval:  cmp.Or(given.PingInterval, 25*time.Second),
			WriteTimeout:  cmp.Or(given.WriteTimeout, 10*time.Second),
		},
		addresses: map[string]int{},
		users:     map[string]int{},
	}
	return s
}

// claim counts one more socket under a key, unless there are as many as there may be.
func (s *sockets) claim(counts map[string]int, key string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if counts[key] >= limit && !s.handler.config.Unlimited {
		return false
	}
	counts[key]++
	return true
}

func (s *sockets) release(counts map[string]int, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// addressOf is what connections of one address are counted under.
func addressOf(ctx context.Context) string { return ratelimit.AddrKey(request.FromContext(ctx).IP) }

// crowded refuses one connection more than there may be.
func (*sockets) crowded(who string, limit int) *fault.Error {
	return fault.Limited(time.Minute, "%s cannot have more than %d connections open. Close some first.", who, limit)
}

// socketKey is the context key of the socket that a request became.
type socketKey struct{}

// serve turns a request into a socket and serves it until it ends.
func (s *sockets) serve(w http.ResponseWriter, r *http.Request) {
	a := acceptance{media: mediaJSON}
	if !offers(r, protocolName) {
		s.handler.refuse(w, r, a, http.StatusBadRequest, fault.New(fault.BadRequest,
			"Connect with the WebSocket subprotocol %s.", protocolName))
		return
	}
	address := addressOf(r.Context())
	if !s.claim(s.addresses, address, s.limits.PerAddress) {
		s.handler.refuse(w, r, a, http.StatusTooManyRequests, s.crowded("Your address", s.limits.PerAddress))
		return
	}
	defer s.release(s.addresses, address)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{protocolName},
		// The edge has checked the origin, against more than the name of the host.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	k := &socket{all: s, header: r.Header, operations: map[string]*operation{}, places: make(chan struct{}, s.places())}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), socketKey{}, k))
	defer cancel()
	k.open(ctx, conn)
	defer k.finish()
	k.read(ctx)
}

// places is how many operations of a socket may run or be about to end: twice as many as its client may have.
func (s *sockets) places() int {
	if s.handler.config.Unlimited {
		return math.MaxInt16
	}
	return 2 * s.limits.Subscriptions
}

func offers(r *http.Request, protocol string) bool {
	for _, value := range r.Header.Values("Sec-WebSocket-Protocol") {
		for element := range strings.SplitSeq(value, ",") {
			if strings.TrimSpace(element) == protocol {
				return true
			}
		}
	}
	return false
}

// refresh gives each operation on a socket the viewer as it is now, not as it was when the socket was opened.
func (s *sockets) refresh(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if _, ok := ctx.Value(socketKey{}).(*socket); !ok || viewer.FromContext(ctx) == nil {
		return next(ctx)
	}
	fresh, err := s.handler.config.Accounts.Refresh(ctx)
	if err != nil {
		shown := s.handler.config.Presenter.Present(ctx, err)
		return graphql.OneShot(&graphql.Response{Errors: listOf(shown)})
	}
	return next(viewer.NewContext(ctx, fresh))
}
