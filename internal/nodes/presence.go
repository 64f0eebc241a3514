package nodes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/predicate"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxEpoch is the width of the column, in bytes.
const maxEpoch = 64

// ErrFenced is returned by Seen when another session holds the node, or none.
var ErrFenced = errors.New("another session holds the node")

// Session describes a link that is about to begin; what the agent said of itself is foreign input.
type Session struct {
	NodeID, SessionID, Instance       string
	AgentVersion, Runtime, EventEpoch string
	System                            *protocol.SystemInfo
}

// PublicKey returns the key of an enrolled node.
func (s *Service) PublicKey(ctx context.Context, nodeID string) (ed25519.PublicKey, error) {
	n, err := s.Client.Node.Get(viewer.System(ctx, s.Logger, "check a node's key"), nodeID)
	if ent.IsNotFound(err) || (err == nil && (n.PublicKey == nil || len(*n.PublicKey) != ed25519.PublicKeySize)) {
		return nil, fault.Missing("node")
	}
	if err != nil {
		return nil, fmt.Errorf("read the node's key: %w", err)
	}
	return *n.PublicKey, nil
}

// Connected records that a session holds the node, which fences every older one, and returns the last event that is
// stored of the session's epoch.
func (s *Service) Connected(ctx context.Context, in Session) (acked uint64, err error) {
	ctx = viewer.System(ctx, s.Logger, "a node has connected")
	epoch := text.Clean(in.EventEpoch, maxEpoch)
	err = tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		update := t.Node.UpdateOneID(in.NodeID).
			SetOnline(true).SetLastSeenAt(now()).SetAgentVersion(text.Clean(in.AgentVersion, 64)).SetRuntime(text.Clean(in.Runtime, 32)).
			SetLinkInstance(in.Instance).SetLinkSession(in.SessionID).AddLinkEpoch(1)
		describe(update.Mutation(), in.System)
		before, err := t.Node.Query().Where(node.ID(in.NodeID)).Select(node.FieldOnline).Only(ctx)
		if err == nil && !before.Online {
			err = events.Emit(ctx, events.Event{Name: events.NodeOnline, NodeID: in.NodeID, Text: "The node is online."})
		}
		if ent.IsNotFound(err) {
			return fault.Missing("node")
		}
		if err != nil {
			return fmt.Errorf("look at the node: %w", err)
		}
		n, err := update.Save(ctx)
		if err != nil {
			return fmt.Errorf("store the node's session: %w", err)
		}
		acked = 0
		if n.EventEpoch == epoch {
			acked = uint64(n.EventSeq)
			return nil
		}
		if err := t.Node.Update().Where(node.ID(in.NodeID)).SetEventEpoch(epoch).SetEventSeq(0).Exec(ctx); err != nil {
			return fmt.Errorf("store the node's event epoch: %w", err)
		}
		return nil
	})
	return acked, err
}

// describe writes what the agent says of its machine.
func describe(m *ent.NodeMutation, sys *protocol.SystemInfo) {
	m.SetOs(text.Clean(sys.GetOs(), 128))
	m.SetArch(text.Clean(sys.GetArch(), 32))
	m.SetKernel(text.Clean(sys.GetKernel(), 128))
	m.SetCPUCount(int(max(0, sys.GetCpuCount())))
	m.SetMemoryTotal(max(0, sys.GetMemory()))
	m.SetDiskTotal(max(0, sys.GetDisk()))
}

// Disconnected records that the session has ended, unless another one holds the node.
func (s *Service) Disconnected(ctx context.Context, nodeID, sessionID string) error {
	return s.offline(viewer.System(ctx, s.Logger, "a node has disconnected"), nodeID, node.LinkSession(sessionID))
}

// Seen is the heart-beat of the session; ErrFenced says that it does not hold the node.
func (s *Service) Seen(ctx context.Context, nodeID, sessionID string) error {
	ctx = viewer.System(ctx, nil, "heart-beat of a node")
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		held, err := t.Node.Update().Where(node.ID(nodeID), node.LinkSession(sessionID)).SetLastSeenAt(now()).SetOnline(true).Save(ctx)
		if err != nil {
			return fmt.Errorf("store heart-beat: %w", err)
		}
		if held == 0 {
			return ErrFenced
		}
		return nil
	})
	return err
}

// StoreUsage keeps the latest totals of a node. Like a heart-beat it does not count as a change.
func (s *Service) StoreUsage(ctx context.Context, nodeID string, at time.Time, u *protocol.StatsSample) error {
	ctx = viewer.System(ctx, nil, "usage of a node")
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		err := t.Node.Update().Where(node.ID(nodeID)).
			SetCPUPercent(finite(u.GetCpuPercent())).SetMemoryBytes(u.GetMemoryBytes()).SetDiskBytes(u.GetDiskBytes()).
			SetNetworkRxBytes(u.GetNetworkRxBytes()).SetNetworkTxBytes(u.GetNetworkTxBytes()).SetUsageAt(at).Exec(ctx)
		if err != nil {
			return fmt.Errorf("store the node's usage: %w", err)
		}
		return nil
	})
}

// finite makes a node's number one that both databases and JSON can hold.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// ErrEpoch is returned for events of a life of the node's spool that is not the present one.
var ErrEpoch = errors.New("the events are not of the node's present epoch")

// EventCursor returns the last event of the epoch that was taken in.
func (s *Service) EventCursor(ctx context.Context, nodeID, epoch string) (uint64, error) {
	n, err := s.Client.Node.Get(viewer.System(ctx, nil, "event cursor of a node"), nodeID)
	if err != nil {
		return 0, fmt.Errorf("read the node's event cursor: %w", err)
	}
	if n.EventEpoch != text.Clean(epoch, maxEpoch) {
		return 0, ErrEpoch
	}
	return uint64(n.EventSeq), nil
}

// Advance moves the node's event cursor to seq of an epoch. It never moves it back.
func (s *Service) Advance(ctx context.Context, nodeID, epoch string, seq uint64) error {
	ctx = viewer.System(ctx, nil, "event of a node")
	to := int64(seq)
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		err := t.Node.Update().Where(node.ID(nodeID), node.EventEpoch(text.Clean(epoch, maxEpoch)), node.EventSeqLT(to)).SetEventSeq(to).Exec(ctx)
		if err != nil {
			return fmt.Errorf("move the node's event cursor: %w", err)
		}
		return nil
	})
}

// offline marks the node as offline when it still is as the condition says, and announces it.
func (s *Service) offline(ctx context.Context, nodeID string, still predicate.Node) error {
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		err := t.Node.UpdateOneID(nodeID).Where(node.Online(true), still).SetOnline(false).SetLinkSession("").Exec(ctx)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("mark the node as offline: %w", err)
		}
		return events.Emit(ctx, events.Event{Name: events.NodeOffline, NodeID: nodeID, Text: "The node is offline."})
	})
}
