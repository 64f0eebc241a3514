package harness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Line is one line of a console.
type Line struct {
	Seq    string
	Time   time.Time
	Stream string
	Text   string
}

// Console follows a server's console and holds what it has seen. Lines that are missing, twice or out of order fail
// the test.
type Console struct {
	// Lines are those seen so far.
	Lines []Line

	tb     testing.TB
	server string
	sub    *Subscription
	last   uint64
	// checked is how many lines Await has looked at.
	checked int
}

const consoleQuery = `subscription($s: ID!, $a: Seq) { console(serverId: $s, after: $a) { lines { seq time stream text } skipped } }`

// Console follows a console from a line on; nil for the last 1000 lines.
func (c *Client) Console(serverID string, after any) *Console {
	c.tb.Helper()
	return &Console{tb: c.tb, server: serverID, sub: c.Watch(consoleQuery, Vars{"s": serverID, "a": after})}
}

// Resume goes on where the console was, over a new connection.
func (c *Console) Resume(client *Client) {
	c.tb.Helper()
	c.sub.Close()
	c.sub = client.Watch(consoleQuery, Vars{"s": c.server, "a": strconv.FormatUint(c.last, 10)})
}

// Next takes the next batch. The error says how the subscription ended.
func (c *Console) Next(ctx context.Context) error {
	var out struct {
		Console struct {
			Lines   []Line
			Skipped int
		}
	}
	if err := c.sub.Next(ctx, &out); err != nil {
		return err
	}
	if out.Console.Skipped != 0 {
		return fmt.Errorf("%d lines were skipped after line %d", out.Console.Skipped, c.last)
	}
	for _, line := range out.Console.Lines {
		seq, err := strconv.ParseUint(line.Seq, 10, 64)
		if err != nil {
			return fmt.Errorf("number of a line: %w", err)
		}
		if c.last != 0 && seq != c.last+1 {
			return fmt.Errorf("line %d follows line %d", seq, c.last)
		}
		c.last = seq
	}
	c.Lines = append(c.Lines, out.Console.Lines...)
	return nil
}

// Await reads until a line after those that were awaited before is the wanted one, and returns it.
func (c *Console) Await(most time.Duration, stream, text string) Line {
	c.tb.Helper()
	return c.AwaitFunc(most, stream+" "+strconv.Quote(text), func(l Line) bool { return l.Stream == stream && l.Text == text })
}

// AwaitFunc is Await with a condition.
func (c *Console) AwaitFunc(most time.Duration, what string, want func(Line) bool) Line {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), most)
	defer cancel()
	for {
		if i := slices.IndexFunc(c.Lines[c.checked:], want); i >= 0 {
			c.checked += i + 1
			return c.Lines[c.checked-1]
		}
		c.checked = len(c.Lines)
		if err := c.Next(ctx); err != nil {
			c.tb.Fatalf("wait for the line %s: %v; the last lines: %v", what, err, c.Lines[max(0, len(c.Lines)-10):])
		}
	}
}

// Drain reads until the subscription ends, and returns how it ended.
func (c *Console) Drain(ctx context.Context) error {
	for {
		if err := c.Next(ctx); err != nil {
			return err
		}
	}
}

// Ended waits until the subscription has ended and returns how.
func (c *Console) Ended(most time.Duration) error { return c.sub.Ended(most) }

// Close stops following.
func (c *Console) Close() { c.sub.Close() }
