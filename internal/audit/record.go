package audit

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// systemName is the actor's name for what Catalyst does itself.
const systemName = "system"

// The widths of the columns that are filled from outside.
const (
	maxName      = 128
	maxTarget    = 128
	maxUserAgent = 512
	maxRequestID = 64
)

// Entry is what the caller knows of a deed. Who did it and from where comes from the context.
type Entry struct {
	// Action is what was done, such as "server.start".
	Action string
	// TargetType and TargetID name what it was done to.
	TargetType, TargetID string
	// ServerID is the server that it concerns, if it does: the server's owner may read the entry.
	ServerID string
	// Outcome is how it ended; a success when empty.
	Outcome kind.AuditOutcome
	// Details is what else is worth knowing. No secrets.
	Details map[string]any
	// ActorID and ActorName stand in for the viewer where there is none yet, such as at a sign-in.
	ActorID, ActorName string
}

// Record writes the entry as part of the unit of work t.
func Record(ctx context.Context, t *ent.Tx, e Entry) error {
	if e.Outcome == "" {
		e.Outcome = kind.AuditOutcomeSucceeded
	}
	info := origin(ctx)
	create := t.AuditLog.Create().
		SetAction(e.Action).SetOutcome(e.Outcome).
		SetTargetType(e.TargetType).SetTargetID(clip(e.TargetID, maxTarget)).
		SetUserAgent(clip(info.UserAgent, maxUserAgent)).
		SetRequestID(clip(info.ID, maxRequestID))
	if info.IP.IsValid() {
		create.SetIP(info.IP.Unmap().WithZone("").String())
	}
	if e.ServerID != "" {
		create.SetServerID(e.ServerID)
	}
	if len(e.Details) > 0 {
		create.SetDetails(e.Details)
	}
	if id, name := actor(ctx, e); id != "" {
		create.SetActorID(id).SetActorName(clip(name, maxName))
	} else {
		create.SetActorName(clip(name, maxName))
	}
	if err := create.Exec(ctx); err != nil {
		return fmt.Errorf("write the audit entry of %s: %w", e.Action, err)
	}
	return tell(ctx, e)
}

// tell makes a deed that was done an event for those outside who want to hear of it.
func tell(ctx context.Context, e Entry) error {
	if e.Outcome != kind.AuditOutcomeSucceeded || !events.Known(e.Action) {
		return nil
	}
	told := events.Event{Name: e.Action, ServerID: e.ServerID, Data: e.Details}
	_, told.Actor = actor(ctx, e)
	switch kind.PrefixOf(e.TargetID) {
	case kind.PrefixNode:
		told.NodeID = e.TargetID
	case kind.PrefixUser:
		told.UserID = e.TargetID
	default:
	}
	if err := events.Emit(ctx, told); err != nil {
		return fmt.Errorf("tell of %s: %w", e.Action, err)
	}
	return nil
}

// RecordApart writes the entry in a transaction of its own. It is for what was refused or failed; it must not be called
// inside a unit of work, with which it would be rolled back.
func RecordApart(ctx context.Context, client *ent.Client, e Entry) error {
	ctx = context.WithoutCancel(ctx)
	return tx.Do(ctx, client, func(ctx context.Context, t *ent.Tx) error { return Record(ctx, t, e) })
}

func actor(ctx context.Context, e Entry) (id, name string) {
	if e.ActorID != "" || e.ActorName != "" {
		return e.ActorID, e.ActorName
	}
	v := viewer.FromContext(ctx)
	switch {
	case v == nil:
		return "", ""
	case v.IsSystem():
		return "", systemName
	default:
		return v.UserID, v.Username
	}
}

// origin returns what is known of the request; a viewer's own address is that of the connection it signed in on.
func origin(ctx context.Context) request.Info {
	info := request.FromContext(ctx)
	v := viewer.FromContext(ctx)
	if v == nil {
		return info
	}
	if v.IP.IsValid() {
		info.IP = v.IP
	}
	if v.UserAgent != "" {
		info.UserAgent = v.UserAgent
	}
	if info.ID == "" {
		info.ID = v.RequestID
	}
	return info
}

func clip(s string, size int) string {
	if len(s) > size {
		s = s[:size]
	}
	return strings.ToValidUTF8(s, "")
}
