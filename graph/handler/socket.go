package handler

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Close codes of graphql-transport-ws.
const (
	closeRestart      = 1012
	closeBadMessage   = 4400
	closeUnauthorized = 4401
	closeForbidden    = 4403
	closeInitTimeout  = 4408
	closeDuplicate    = 4409
	closeManyInits    = 4429
)

// errRevoked is the cause of the end of a socket whose credential was revoked.
var errRevoked = errors.New("the credential was revoked")

// socket is one WebSocket that speaks graphql-transport-ws. One goroutine reads it; operations write when they have
// something to say.
type socket struct {
	all *sockets
	// header are the headers that the socket was opened with. Programs may sign in by them.
	header http.Header
	user   string // counted under this user

	conn    *websocket.Conn
	request context.Context //nolint:containedctx // the socket's life, which ends with the server's
	stops   []func()

	closing sync.Once
	running sync.WaitGroup
	// places are taken by operations until they have ended. A client who completes them faster than that has to wait.
	places chan struct{}

	mu         sync.Mutex
	inited     bool
	lived      context.Context //nolint:containedctx // the credential's life, once it is known
	unanswered int             // pings
	operations map[string]*operation
}

// message is a message of the protocol.
type message struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// verdict is why a socket is closed for what its client sent.
type verdict struct {
	code int
	why  string
}

var invalid = &verdict{closeBadMessage, "Invalid message"}

// open begins the life of the socket: it closes when nobody says who they are in time, and when the server stops.
func (k *socket) open(ctx context.Context, conn *websocket.Conn) {
	k.conn, k.request = conn, ctx
	conn.SetReadLimit(maxMessage)
	late := time.AfterFunc(k.all.limits.InitTimeout, func() {
		k.mu.Lock()
		inited := k.inited
		k.mu.Unlock()
		if !inited {
			k.close(closeInitTimeout, "Connection initialisation timeout")
		}
	})
	ended := context.AfterFunc(ctx, k.closeByCause)
	k.stops = append(k.stops, func() { late.Stop() }, func() { ended() })
}

// live returns the context of the socket's operations, which ends with the credential: by time, or when it is revoked.
func (k *socket) live(ctx context.Context, ends time.Time) (context.Context, error) {
	ctx, expire := expiring(ctx, ends)
	ctx, revoke := context.WithCancelCause(ctx)
	k.mu.Lock()
	k.lived = ctx
	k.mu.Unlock()
	ended := context.AfterFunc(ctx, k.closeByCause)
	k.stops = append(k.stops, func() { ended() }, expire, func() { revoke(nil) })
	if k.user == "" {
		return ctx, nil
	}
	changes, err := k.all.handler.config.Accounts.Changes(ctx, k.user)
	if err != nil {
		return ctx, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.watch(ctx, changes, revoke)
	}()
	k.stops = append(k.stops, func() { <-done })
	return ctx, nil
}

// askAgain is how soon a credential is looked at again that could not be looked at.
const askAgain = time.Second

// watch ends the socket when its credential is good no longer. A database that does not answer is asked again until it
// does: the change that was announced may be the end of the credential.
func (k *socket) watch(ctx context.Context, changes <-chan struct{}, revoke context.CancelCauseFunc) {
	again := time.NewTimer(askAgain)
	defer again.Stop()
	again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-again.C:
		}
		again.Stop()
		_, err := k.all.handler.config.Accounts.Refresh(ctx)
		switch {
		case fault.CodeOf(err) == fault.Unauthenticated:
			revoke(errRevoked)
			return
		case err != nil:
			again.Reset(askAgain)
		}
	}
}

// finish ends what the socket has started.
func (k *socket) finish() {
	for _, stop := range k.stops {
		stop()
	}
	k.running.Wait()
	if k.user != "" {
		k.all.release(k.all.users, k.user)
	}
	_ = k.conn.CloseNow()
}

// closeByCause closes a socket whose context has ended, and says why.
func (k *socket) closeByCause() {
	k.mu.Lock()
	lived := k.lived
	k.mu.Unlock()
	if lived == nil {
		lived = k.request
	}
	switch cause := context.Cause(lived); {
	case shutdown(k.request), shutdown(lived):
		k.close(closeRestart, "The panel restarts")
	case errors.Is(cause, errExpired), errors.Is(cause, errRevoked):
		k.close(closeForbidden, "Forbidden")
	default:
		k.close(int(websocket.StatusNormalClosure), "")
	}
}

func (k *socket) close(code int, why string) {
	k.closing.Do(func() {
		_ = k.conn.Close(websocket.StatusCode(code), why)
	})
}

// read takes the client's messages until the connection ends or the client breaks the protocol.
func (k *socket) read(ctx context.Context) {
	for {
		// The end of the context would cut the connection off without a word.
		kind, data, err := k.conn.Read(context.WithoutCancel(ctx))
		if err != nil {
			return
		}
		var m message
		refused := invalid
		if kind == websocket.MessageText && json.Unmarshal(data, &m) == nil {
			refused = k.receive(ctx, &m)
		}
		if refused != nil {
			k.close(refused.code, refused.why)
			return
		}
	}
}

// receive does what a message asks for, or says why the socket is to be closed.
func (k *socket) receive(ctx context.Context, m *message) *verdict {
	switch m.Type {
	case "connection_init":
		return k.init(ctx, m.Payload)
	case "ping":
		_ = k.write(ctx, "pong", "", m.Payload) // a connection that takes no answer fails the next read, too
	case "pong":
		k.mu.Lock()
		k.unanswered = 0
		k.mu.Unlock()
	case "subscribe":
		return k.subscribe(ctx, m)
	case "complete":
		k.complete(m.ID)
	default:
		return invalid
	}
	return nil
}

// init lets the client in: as whom its credential says.
func (k *socket) init(ctx context.Context, payload json.RawMessage) *verdict {
	k.mu.Lock()
	again := k.inited
	k.inited = true
	k.mu.Unlock()
	if again {
		return &verdict{closeManyInits, "Too many initialisation requests"}
	}
	var said struct {
		Authorization string `json:"authorization"` // in any case
	}
	if len(payload) > 0 && string(payload) != "null" && (!object(payload) || json.Unmarshal(payload, &said) != nil) {
		return &verdict{closeBadMessage, "The payload must be an object, and Authorization in it a text"}
	}
	ctx, ends, err := k.all.handler.authenticate(ctx, cmp.Or(said.Authorization, k.header.Get("Authorization")))
	if err != nil {
		return forbidden(err)
	}
	if v := viewer.FromContext(ctx); v != nil {
		if !k.all.claim(k.all.users, v.UserID, k.all.limits.PerUser) {
			return &verdict{closeForbidden, "Too many connections"}
		}
		k.user = v.UserID
	}
	if ctx, err = k.live(ctx, ends); err != nil {
		return forbidden(err)
	}
	_ = k.write(ctx, "connection_ack", "", nil) // as above
	k.running.Go(func() { k.beat(ctx) })
	return nil
}

func forbidden(err error) *verdict {
	if fault.CodeOf(err) == fault.RateLimited {
		return &verdict{closeForbidden, "Too many requests"}
	}
	return &verdict{closeForbidden, "Forbidden"}
}

// beat asks the client again and again whether it is there, and cuts off one that has not answered twice.
func (k *socket) beat(ctx context.Context) {
	tick := time.NewTicker(k.all.limits.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.mu.Lock()
		k.unanswered++
		gone := k.unanswered > 2
		k.mu.Unlock()
		if gone || k.write(ctx, "ping", "", nil) != nil {
			_ = k.conn.CloseNow()
			return
		}
	}
}

func object(payload json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{"))
}

// write writes a message. The payload, nil for none, is JSON already.
func (k *socket) write(ctx context.Context, kind, id string, payload []byte) error {
	quoted, err := json.Marshal(id)
	if err != nil {
		return err
	}
	data := make([]byte, 0, len(kind)+len(quoted)+len(payload)+40)
	data = append(append(append(data, `{"type":"`...), kind...), '"')
	if id != "" {
		data = append(append(data, `,"id":`...), quoted...)
	}
	if len(payload) > 0 {
		data = append(append(data, `,"payload":`...), payload...)
	}
	data = append(data, '}')
	// The end of the context would cut the connection off without a word.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.all.limits.WriteTimeout)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, data)
}
