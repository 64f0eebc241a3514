package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// patience is what a test waits for a message that should come at once.
const patience = 20 * time.Second

// ErrComplete is returned after the last message of a subscription that the panel completed.
var ErrComplete = errors.New("the subscription is complete")

// Subscription is one GraphQL subscription on a WebSocket of its own. Messages are kept until they are read, however
// slowly a test does that.
type Subscription struct {
	tb   testing.TB
	conn *websocket.Conn
	news chan struct{}
	done chan struct{}

	mu       sync.Mutex
	messages []json.RawMessage
	err      error
}

// frame is a message of graphql-transport-ws.
type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Subscribe opens a subscription; the answers are those of Next. The error is about the connection.
func (c *Client) Subscribe(ctx context.Context, query string, vars Vars) (*Subscription, error) {
	conn, err := c.dial(ctx, query, vars)
	if err != nil {
		return nil, err
	}
	s := &Subscription{tb: c.tb, conn: conn, news: make(chan struct{}, 1), done: make(chan struct{})}
	go s.read(context.WithoutCancel(ctx))
	c.tb.Cleanup(s.Close)
	return s, nil
}

// Watch opens a subscription and fails the test when that fails.
func (c *Client) Watch(query string, vars Vars) *Subscription {
	c.tb.Helper()
	s, err := c.Subscribe(c.tb.Context(), query, vars)
	if err != nil {
		c.tb.Fatalf("%s: %v", query, err)
	}
	return s
}

// dial opens a socket and subscribes on it.
func (c *Client) dial(ctx context.Context, query string, vars Vars) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, c.URL+"/graphql", &websocket.DialOptions{ //nolint:bodyclose // the connection owns it
		Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	conn.SetReadLimit(64 << 20)
	if err := begin(ctx, conn, c.Token, query, vars); err != nil {
		return nil, errors.Join(err, conn.CloseNow())
	}
	return conn, nil
}

func begin(ctx context.Context, conn *websocket.Conn, token, query string, vars Vars) error {
	payload := map[string]string{}
	if token != "" {
		payload["Authorization"] = "Bearer " + token
	}
	if err := wsjson.Write(ctx, conn, map[string]any{"type": "connection_init", "payload": payload}); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var f frame
	for f.Type != "connection_ack" {
		if err := wsjson.Read(ctx, conn, &f); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	err := wsjson.Write(ctx, conn, map[string]any{
		"id": "1", "type": "subscribe", "payload": map[string]any{"query": query, "variables": vars},
	})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// read takes messages until the subscription or the connection ends.
func (s *Subscription) read(ctx context.Context) {
	defer close(s.done)
	for {
		var f frame
		if err := wsjson.Read(ctx, s.conn, &f); err != nil {
			s.add(nil, fmt.Errorf("read: %w", err))
			return
		}
		switch f.Type {
		case "ping":
			if err := wsjson.Write(ctx, s.conn, frame{Type: "pong"}); err != nil {
				s.add(nil, fmt.Errorf("answer: %w", err))
				return
			}
		case "next":
			s.next(f.Payload)
		case "error":
			var refused Errors
			if err := json.Unmarshal(f.Payload, &refused); err != nil {
				s.add(nil, fmt.Errorf("decode error: %w", err))
				return
			}
			s.add(nil, refused)
			return
		case "complete":
			s.add(nil, ErrComplete)
			return
		}
	}
}

// next takes one answer.
func (s *Subscription) next(payload json.RawMessage) {
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil {
		s.add(nil, fmt.Errorf("decode answer: %w", err))
		return
	}
	if len(a.Errors) > 0 {
		s.add(nil, a.Errors)
		return
	}
	s.add(a.Data, nil)
}

func (s *Subscription) add(message json.RawMessage, err error) {
	s.mu.Lock()
	if message != nil {
		s.messages = append(s.messages, message)
	}
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// take returns the next message when there is one.
func (s *Subscription) take() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) > 0 {
		m := s.messages[0]
		s.messages = s.messages[1:]
		return m, nil
	}
	return nil, s.err
}

// Next decodes the data of the next message. The error says how the subscription ended: an Errors, ErrComplete, or
// that of the connection.
func (s *Subscription) Next(ctx context.Context, out any) error {
	for {
		m, err := s.take()
		if m != nil {
			if err := json.Unmarshal(m, out); err != nil {
				return fmt.Errorf("decode %s: %w", m, err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return fmt.Errorf("wait for a message: %w", ctx.Err())
		}
	}
}

// Must decodes the next message and fails the test when none comes.
func (s *Subscription) Must(out any) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), patience)
	defer cancel()
	if err := s.Next(ctx, out); err != nil {
		s.tb.Fatal(err)
	}
}

// Ended waits until the subscription has ended and returns how; messages before are skipped.
func (s *Subscription) Ended(most time.Duration) error {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), most)
	defer cancel()
	for {
		var skipped json.RawMessage
		if err := s.Next(ctx, &skipped); err != nil {
			if ctx.Err() != nil {
				s.tb.Fatalf("the subscription has not ended within %v", most)
			}
			return err
		}
	}
}

// Close ends the subscription with its connection.
func (s *Subscription) Close() {
	_ = s.conn.CloseNow() // it may have ended already
	<-s.done
}
