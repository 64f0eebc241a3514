package handler

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
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
	handler   *Handler
	limits    Sockets
	transport transport.Websocket

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
	limit := maxMessage
	s.transport = transport.Websocket{
		Implementation:   acceptor{s},
		InitFunc:         s.init,
		PingPongInterval: s.limits.PingInterval,
		PayloadReadLimit: &limit,
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
	k := &socket{
		all: s, header: r.Header.Get("Authorization"), ids: map[string]string{}, clients: map[string]string{},
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), socketKey{}, k))
	defer cancel()
	defer k.finish()
	s.transport.Do(w, r.WithContext(ctx), s.handler.exec)
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

// acceptor makes gqlgen's transport work on this package's sockets.
type acceptor struct{ sockets *sockets }

// Accept implements transport.WebsocketImplementation.
func (a acceptor) Accept(w http.ResponseWriter, r *http.Request, _ transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	k, ok := r.Context().Value(socketKey{}).(*socket)
	if !ok {
		return nil, errors.New("a request that is to be no socket")
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{protocolName},
		// The edge has checked the origin, against more than the name of the host.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	k.open(r.Context(), conn)
	return k, nil
}

// init says who the socket's client is. The context that it returns ends with the credential.
func (s *sockets) init(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	refused := transport.WithWebsocketCloseCode(ctx, closeForbidden)
	k, ok := ctx.Value(socketKey{}).(*socket)
	if !ok {
		return refused, nil, errors.New("no socket")
	}
	ctx, ends, err := s.handler.authenticate(ctx, cmp.Or(payload.Authorization(), k.header))
	if err != nil {
		return transport.AppendCloseReason(refused, reason(fault.CodeOf(err))), nil, err
	}
	if v := viewer.FromContext(ctx); v != nil {
		if !s.claim(s.users, v.UserID, s.limits.PerUser) {
			return transport.AppendCloseReason(refused, "Too many connections"), nil, errors.New("too many sockets of a user")
		}
		k.user = v.UserID
	}
	ctx, err = k.live(ctx, ends)
	if err != nil {
		return refused, nil, err
	}
	return ctx, nil, nil
}

func reason(code fault.Code) string {
	if code == fault.RateLimited {
		return "Too many requests"
	}
	return "Forbidden"
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
