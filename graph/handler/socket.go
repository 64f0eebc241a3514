package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/internal/fault"
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

// socket is one WebSocket. It stands between the network and gqlgen's transport, and keeps to the protocol where that
// does not: it checks the order of messages, gives every operation an identifier of its own inside, so that an
// identifier that is used again gets no stray messages of the operation before, and translates the close codes.
//
// gqlgen reads in one goroutine and writes in several, one at a time.
type socket struct {
	all  *sockets
	user string // counted under this user
	// header is the Authorization that the socket was opened with, for programs that send it there.
	header string

	conn    *websocket.Conn
	request context.Context //nolint:containedctx // the socket's life, which ends with the server's
	stops   []func()

	closing sync.Once

	mu       sync.Mutex
	inited   bool
	acked    bool
	lived    context.Context //nolint:containedctx // the credential's life, once it is known
	last     int
	ids      map[string]string // the client's identifier → ours
	clients  map[string]string // ours → the client's
	deadline *time.Timer
}

var (
	_ transport.WebsocketConn          = (*socket)(nil)
	_ transport.WebsocketReadLimiter   = (*socket)(nil)
	_ transport.WebsocketReadDeadliner = (*socket)(nil)
)

// message is a message of the protocol.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// open begins the life of the socket: it closes when nobody says who they are in time, and when the server stops.
func (k *socket) open(ctx context.Context, conn *websocket.Conn) {
	k.conn, k.request = conn, ctx
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

// finish ends what the socket has started. The connection is closed by then.
func (k *socket) finish() {
	for _, stop := range k.stops {
		stop()
	}
	k.mu.Lock()
	if k.deadline != nil {
		k.deadline.Stop()
	}
	k.mu.Unlock()
	if k.user != "" {
		k.all.release(k.all.users, k.user)
	}
	if k.conn != nil {
		_ = k.conn.CloseNow()
	}
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

// refuse closes the socket for what the client did, and ends gqlgen's reading.
func (k *socket) refuse(code int, why string) (int, io.Reader, error) {
	k.close(code, why)
	return 0, nil, transport.ErrWebsocketClosed
}

// NextReader returns the next message that concerns gqlgen.
func (k *socket) NextReader() (int, io.Reader, error) {
	for {
		// The context of the request would cut the connection off without a word.
		kind, data, err := k.conn.Read(context.WithoutCancel(k.request))
		switch {
		case websocket.CloseStatus(err) == websocket.StatusNormalClosure, websocket.CloseStatus(err) == websocket.StatusNoStatusRcvd:
			return 0, nil, transport.ErrWebsocketClosed
		case err != nil:
			return 0, nil, err
		}
		var m message
		if kind != websocket.MessageText || json.Unmarshal(data, &m) != nil {
			return k.refuse(closeBadMessage, "Invalid message")
		}
		v := k.receive(&m)
		if v.reply != nil {
			_ = k.write(*v.reply) // a connection that takes no answer fails the next read, too
		}
		if v.code != 0 {
			return k.refuse(v.code, v.why)
		}
		if !v.forward {
			continue
		}
		data, err = json.Marshal(m)
		if err != nil {
			return k.refuse(closeBadMessage, "Invalid message")
		}
		return int(kind), bytes.NewReader(data), nil
	}
}

// verdict is what follows from a client's message: gqlgen sees it, it is answered, or the socket closes.
type verdict struct {
	forward bool
	reply   *message
	code    int
	why     string
}

var invalid = verdict{code: closeBadMessage, why: "Invalid message"}

// receive keeps the client to the protocol.
func (k *socket) receive(m *message) verdict {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch m.Type {
	case "connection_init":
		if k.inited {
			return verdict{code: closeManyInits, why: "Too many initialisation requests"}
		}
		if len(m.Payload) > 0 && !object(m.Payload) && string(m.Payload) != "null" {
			return verdict{code: closeBadMessage, why: "The payload must be an object"}
		}
		k.inited = true
		return verdict{forward: true}
	case "ping":
		return verdict{reply: &message{Type: "pong", Payload: m.Payload}}
	case "pong":
		return verdict{forward: k.acked}
	case "subscribe":
		return k.subscribe(m)
	case "complete":
		ours, known := k.ids[m.ID]
		k.forget(ours)
		m.ID = ours
		return verdict{forward: known}
	}
	return invalid
}

func object(payload json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{"))
}

// subscribe takes in an operation. The mutex is held.
func (k *socket) subscribe(m *message) verdict {
	if !k.acked {
		return verdict{code: closeUnauthorized, why: "Unauthorized"}
	}
	if m.ID == "" || len(m.ID) > 128 || !object(m.Payload) {
		return invalid
	}
	var params struct {
		Query         *string        `json:"query"`
		OperationName *string        `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	if json.Unmarshal(m.Payload, &params) != nil || params.Query == nil {
		return invalid
	}
	if _, used := k.ids[m.ID]; used {
		return verdict{code: closeDuplicate, why: "Subscriber for " + m.ID[:min(len(m.ID), 40)] + " already exists"}
	}
	if len(k.ids) >= k.all.limits.Subscriptions && !k.all.handler.config.Unlimited {
		return verdict{reply: k.full(m.ID)}
	}
	k.last++
	ours := strconv.Itoa(k.last)
	k.ids[m.ID], k.clients[ours] = ours, m.ID
	m.ID = ours
	return verdict{forward: true}
}

// full is the error for one operation too many.
func (k *socket) full(id string) *message {
	f := fault.New(fault.RateLimited, "This connection runs %d operations. Complete some first.", k.all.limits.Subscriptions)
	payload, _ := json.Marshal([]any{map[string]any{ // of texts only
		"message": f.Message, "extensions": map[string]any{"code": f.Code},
	}})
	return &message{ID: id, Type: "error", Payload: payload}
}

// forget frees an identifier. The mutex is held.
func (k *socket) forget(ours string) {
	delete(k.ids, k.clients[ours])
	delete(k.clients, ours)
}

// WriteJSON writes one of gqlgen's messages, which has the fields of message under a type that is not exported.
func (k *socket) WriteJSON(v any) error {
	fields := reflect.Indirect(reflect.ValueOf(v))
	m := message{
		ID:      fields.FieldByName("ID").String(),
		Type:    fields.FieldByName("Type").String(),
		Payload: fields.FieldByName("Payload").Bytes(),
	}
	k.mu.Lock()
	switch m.Type {
	case "connection_ack":
		k.acked = true
	case "next", "error", "complete":
		client, known := k.clients[m.ID]
		if !known { // completed by the client, or ended by an error
			k.mu.Unlock()
			return nil
		}
		if m.Type != "next" {
			k.forget(m.ID)
		}
		m.ID = client
	}
	k.mu.Unlock()
	return k.write(m)
}

// write writes a message by hand: its payload is JSON already and may be long.
func (k *socket) write(m message) error {
	id, err := json.Marshal(m.ID)
	if err != nil {
		return err
	}
	data := make([]byte, 0, len(m.Payload)+len(id)+48)
	data = append(data, `{"type":"`...)
	data = append(data, m.Type...)
	data = append(data, '"')
	if m.ID != "" {
		data = append(append(data, `,"id":`...), id...)
	}
	if len(m.Payload) > 0 {
		data = append(append(data, `,"payload":`...), m.Payload...)
	}
	data = append(data, '}')
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.request), k.all.limits.WriteTimeout)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, data)
}

// WriteClose closes the socket. gqlgen knows fewer reasons than there are.
func (k *socket) WriteClose(code int, why string) error {
	if code == transport.WebsocketCloseNormalClosure {
		k.closeByCause()
		return nil
	}
	k.close(code, why)
	return nil
}

// Close cuts the connection off; a closing handshake has been held before.
func (k *socket) Close() error { return k.conn.CloseNow() }

// Subprotocol implements transport.WebsocketConn.
func (k *socket) Subprotocol() string { return k.conn.Subprotocol() }

// SetReadLimit implements transport.WebsocketReadLimiter.
func (k *socket) SetReadLimit(limit int64) { k.conn.SetReadLimit(limit) }

// SetReadDeadline implements transport.WebsocketReadDeadliner: a client that does not answer pings is cut off.
func (k *socket) SetReadDeadline(at time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deadline != nil {
		k.deadline.Stop()
		k.deadline = nil
	}
	if !at.IsZero() {
		k.deadline = time.AfterFunc(time.Until(at), func() { _ = k.conn.CloseNow() })
	}
	return nil
}
