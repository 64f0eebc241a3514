package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/netip"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/backups"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/servers"
)

// nodePort lets the agent link speak with the nodes.
type nodePort struct{ nodes *nodes.Service }

var _ agentlink.Nodes = (*nodePort)(nil)

// PublicKey returns the key of an enrolled node.
func (p *nodePort) PublicKey(ctx context.Context, nodeID string) (ed25519.PublicKey, error) {
	return p.nodes.PublicKey(ctx, nodeID)
}

// Enrol spends a one-time token.
func (p *nodePort) Enrol(ctx context.Context, token string, key ed25519.PublicKey, remote netip.Addr) (string, error) {
	return p.nodes.Enrol(ctx, token, key, remote)
}

// Connected records a session.
func (p *nodePort) Connected(ctx context.Context, in agentlink.LinkInfo) (uint64, error) {
	return p.nodes.Connected(ctx, nodes.Session{
		NodeID: in.NodeID, SessionID: in.SessionID, Instance: in.Instance, AgentVersion: in.AgentVersion,
		Runtime: in.Runtime, EventEpoch: in.EventEpoch, System: in.System,
	})
}

// Disconnected records the end of a session.
func (p *nodePort) Disconnected(ctx context.Context, nodeID, sessionID string) error {
	return p.nodes.Disconnected(ctx, nodeID, sessionID)
}

// Seen is a session's heart-beat.
func (p *nodePort) Seen(ctx context.Context, nodeID, sessionID string) error {
	err := p.nodes.Seen(ctx, nodeID, sessionID)
	if errors.Is(err, nodes.ErrFenced) {
		return agentlink.ErrFenced
	}
	return err
}

// filePort lets the servers' service write a file.
type filePort struct{ files *files.Service }

var _ servers.Files = filePort{}

// WriteText writes a file of a server with the caller's rights.
func (p filePort) WriteText(ctx context.Context, serverID, path, text string) error {
	_, err := p.files.Write(ctx, files.WriteInput{ServerID: serverID, Path: path, Text: &text})
	return err
}

// desiredPort lets the agent link ask what should be.
type desiredPort struct{ servers *servers.Service }

var _ agentlink.Desired = (*desiredPort)(nil)

// All returns what should be on a node, and what should not.
func (p *desiredPort) All(ctx context.Context, nodeID string) ([]*protocol.ApplyServerRequest, []*protocol.RemoveServerRequest, error) {
	wanted, err := p.servers.All(ctx, nodeID)
	if err != nil {
		return nil, nil, err
	}
	var apply []*protocol.ApplyServerRequest
	var remove []*protocol.RemoveServerRequest
	for _, w := range wanted {
		if w.Remove != nil {
			remove = append(remove, w.Remove)
			continue
		}
		apply = append(apply, w.Apply)
	}
	return apply, remove, nil
}

// One returns what should be done about one server.
func (p *desiredPort) One(ctx context.Context, nodeID, serverID string) (*protocol.ApplyServerRequest, *protocol.RemoveServerRequest, error) {
	w, err := p.servers.One(ctx, nodeID, serverID)
	return w.Apply, w.Remove, err
}

// Removed records that a node has removed a server.
func (p *desiredPort) Removed(ctx context.Context, nodeID, serverID string) error {
	return p.servers.Removed(ctx, nodeID, serverID)
}

// Pending returns the servers that are not as they should be.
func (p *desiredPort) Pending(ctx context.Context, nodeID string) ([]string, error) {
	return p.servers.Pending(ctx, nodeID)
}

// reportPort takes in what nodes report.
type reportPort struct {
	nodes   *nodes.Service
	servers *servers.Service
	metrics *metrics.Service
	files   *files.Service
	backups *backups.Service
}

var _ agentlink.Reports = (*reportPort)(nil)

// Observed stores states.
func (p *reportPort) Observed(ctx context.Context, nodeID string, states []*protocol.Observed) error {
	return p.servers.Observed(ctx, nodeID, states)
}

// Events stores events in order, and then the node's cursor. An event may be taken in twice when the panel dies between
// the two, which changes nothing: it is the latest word on its server until the ones after it are taken in.
func (p *reportPort) Events(ctx context.Context, nodeID, epoch string, events []*protocol.EventsResponse) error {
	cursor, err := p.nodes.EventCursor(ctx, nodeID, epoch)
	if err != nil {
		return err
	}
	last := cursor
	for _, e := range events {
		if e.GetSeq() <= last {
			continue
		}
		if err := p.event(ctx, nodeID, e); err != nil {
			return err
		}
		last = e.GetSeq()
	}
	if last == cursor {
		return nil
	}
	return p.nodes.Advance(ctx, nodeID, epoch, last)
}

// event stores what one event says.
func (p *reportPort) event(ctx context.Context, nodeID string, e *protocol.EventsResponse) error {
	switch what := e.GetEvent().(type) {
	case *protocol.EventsResponse_ServerState:
		return p.servers.Observed(ctx, nodeID, []*protocol.Observed{what.ServerState})
	case *protocol.EventsResponse_InstallProgress:
		return p.servers.Installing(ctx, nodeID, what.InstallProgress)
	case *protocol.EventsResponse_FileActivity:
		return p.files.Changed(ctx, what.FileActivity)
	case *protocol.EventsResponse_RestoreProgress:
		return p.backups.Restoring(ctx, nodeID, what.RestoreProgress)
	case *protocol.EventsResponse_Usage:
		at := protocol.Time(e.GetAtUs())
		if err := p.metrics.Store(ctx, nodeID, at, what.Usage); err != nil {
			return err
		}
		return p.nodes.StoreUsage(ctx, nodeID, at, what.Usage.GetNode())
	}
	return nil
}
