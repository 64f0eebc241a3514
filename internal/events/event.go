package events

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/internal/tx"
)

// topic is the outbox's word for an event.
const topic = "event"

// Event is something that has happened.
type Event struct {
	// Name is what: "server.create", "server.state", "alert.raise".
	Name string `json:"name"`
	// At is when.
	At time.Time `json:"at"`
	// Text says it in a sentence.
	Text string `json:"text,omitempty"`
	// ServerID, NodeID and UserID are what it is about, as far as it is about them.
	ServerID string `json:"serverId,omitempty"`
	NodeID   string `json:"nodeId,omitempty"`
	UserID   string `json:"userId,omitempty"`
	// Actor is who did it; empty for what happened by itself.
	Actor string `json:"actor,omitempty"`
	// Data is what else there is to know. No secrets.
	Data map[string]any `json:"data,omitempty"`
	// Webhooks are told whatever they want to hear of: an alert rule names them.
	Webhooks []string `json:"webhooks,omitempty"`
}

// The events that no deed in the audit trail stands for.
const (
	ServerState   = "server.state"
	ServerCrashed = "server.crash"
	NodeOnline    = "node.online"
	NodeOffline   = "node.offline"
	AlertRaised   = "alert.raise"
	AlertResolved = "alert.resolve"
	Ping          = "ping"

	BackupComplete = "backup.complete"
	BackupFailed   = "backup.fail"
)

// names are all events, in order.
var names = []string{
	AlertRaised, AlertResolved,
	BackupComplete, "backup.create", "backup.delete", BackupFailed, "backup.restore",
	"node.create", "node.delete", NodeOffline, NodeOnline, "node.update",
	"server.access.accept", "server.access.grant", "server.access.revoke", "server.access.update", "server.clone",
	ServerCrashed, "server.create", "server.delete", "server.owner", ServerState, "server.suspend", "server.unsuspend",
	"server.update",
	"user.create", "user.delete", "user.register", "user.roles", "user.suspend", "user.unsuspend", "user.update",
}

// Names lists every event that can be heard of, in order.
func Names() []string { return slices.Clone(names) }

// Known reports whether a deed is an event.
func Known(name string) bool { return slices.Contains(names, name) }

// Covers reports whether a pattern (a name, an area such as "server.*", or "*") covers an event.
func Covers(pattern, name string) bool {
	if area, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, area)
	}
	return pattern == name
}

// ValidPattern reports whether a pattern covers any event.
func ValidPattern(pattern string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return Covers(pattern, name) })
}

// Emit tells of an event once the unit of work that ctx belongs to is committed.
func Emit(ctx context.Context, e Event) error {
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	return tx.Enqueue(ctx, topic, e)
}
