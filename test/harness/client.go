package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Client speaks GraphQL with a panel as one user.
type Client struct {
	// URL is the panel's address.
	URL string
	// Token is sent with every request; empty for an anonymous caller.
	Token string
	// UserID is the account's.
	UserID string

	tb   testing.TB
	http *http.Client
}

// Vars are the variables of an operation.
type Vars map[string]any

// Error is one error of a GraphQL answer.
type Error struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code  string `json:"code"`
		Field string `json:"field"`
	} `json:"extensions"`
}

// Errors are the errors of a GraphQL answer.
type Errors []Error

// Error joins the messages.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, one := range e {
		parts[i] = one.Extensions.Code + ": " + one.Message
	}
	return strings.Join(parts, "; ")
}

// Code returns the first error's code of a GraphQL answer, or nothing.
func Code(err error) string {
	if e, ok := errors.AsType[Errors](err); ok && len(e) > 0 {
		return e[0].Extensions.Code
	}
	return ""
}

// Anonymous returns a client that has not signed in.
func (p *Process) Anonymous() *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	p.tb.Cleanup(transport.CloseIdleConnections)
	return &Client{URL: p.URL, tb: p.tb, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// Login returns a client that has signed in.
func (p *Process) Login(login, password string) *Client {
	p.tb.Helper()
	c := p.Anonymous()
	var out struct {
		Login struct {
			AccessToken string
			User        struct{ ID string }
		}
	}
	c.Run(`mutation($l: String!, $p: String!) { login(input: {login: $l, password: $p}) { accessToken user { id } } }`,
		Vars{"l": login, "p": password}, &out)
	c.Token, c.UserID = out.Login.AccessToken, out.Login.User.ID
	return c
}

// Admin returns a client of the first administrator.
func (p *Process) Admin() *Client {
	p.tb.Helper()
	return p.Login("admin", AdminPassword)
}

// Register makes an account and returns its client.
func (p *Process) Register(name string) *Client {
	p.tb.Helper()
	c := p.Anonymous()
	var out struct {
		Register struct {
			AccessToken string
			User        struct{ ID string }
		}
	}
	c.Run(`mutation($e: String!, $n: String!) { register(input: {email: $e, username: $n, password: "a-long-password"}) { accessToken user { id } } }`,
		Vars{"e": name + "@example.com", "n": name}, &out)
	c.Token, c.UserID = out.Register.AccessToken, out.Register.User.ID
	return c
}

// answer is what a panel answers.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors Errors          `json:"errors"`
}

// Do sends one operation and decodes its data. The error is an Errors when the panel answered with some.
func (c *Client) Do(ctx context.Context, query string, vars Vars, out any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	if err != nil {
		return fmt.Errorf("encode operation: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("send operation: %w", err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var a answer
	if err := json.Unmarshal(content, &a); err != nil {
		return fmt.Errorf("decode answer (%s) %.300q: %w", resp.Status, content, err)
	}
	if len(a.Errors) > 0 {
		return a.Errors
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.Data, out); err != nil {
		return fmt.Errorf("decode data: %w", err)
	}
	return nil
}

// Run sends one operation and fails the test unless it succeeds.
func (c *Client) Run(query string, vars Vars, out any) {
	c.tb.Helper()
	if err := c.Do(c.tb.Context(), query, vars, out); err != nil {
		c.tb.Fatalf("%s\nwith %v: %v", query, vars, err)
	}
}

// Refused sends one operation and fails the test unless it is refused with a code and a sentence.
func (c *Client) Refused(code, query string, vars Vars) Error {
	c.tb.Helper()
	err := c.Do(c.tb.Context(), query, vars, nil)
	refused, ok := errors.AsType[Errors](err)
	if !ok {
		c.tb.Fatalf("%s\nwith %v: got %v, want a refusal with %s", query, vars, err, code)
	}
	if refused[0].Extensions.Code != code {
		c.tb.Errorf("%s\nwith %v: got %v, want the code %s", query, vars, refused, code)
	}
	if len(refused[0].Message) < 10 {
		c.tb.Errorf("%s: the message %q is no sentence", query, refused[0].Message)
	}
	return refused[0]
}
