package nodes

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/enrolmenttoken"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// enrolmentLifetime is how long an enrolment token may be used.
const enrolmentLifetime = time.Hour

// Enrolment is a fresh one-time token, shown once.
type Enrolment struct {
	Token     string
	ExpiresAt time.Time
	// Command is what to paste into a shell on the node.
	Command string
}

// CreateEnrolmentToken makes a new one-time token for a node; older ones die. It needs node.update. The node's agent
// stays connected until another one enrols.
func (s *Service) CreateEnrolmentToken(ctx context.Context, nodeID string) (*ent.Node, *Enrolment, error) {
	e := audit.Entry{Action: "node.enrolment", TargetType: "Node", TargetID: nodeID}
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(nodeID)); err != nil {
		return nil, nil, s.trail.Refused(ctx, e, err)
	}
	n, err := s.Client.Node.Get(ctx, nodeID)
	if ent.IsNotFound(err) {
		return nil, nil, fault.Missing("node")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read node: %w", err)
	}
	var enrolment *Enrolment
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) (err error) {
		enrolment, err = s.issue(ctx, t, nodeID)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return n, enrolment, nil
}

// issue replaces a node's unused tokens by a new one.
func (s *Service) issue(ctx context.Context, t *ent.Tx, nodeID string) (*Enrolment, error) {
	sys := viewer.System(ctx, s.Logger, "replace enrolment tokens")
	if _, err := t.EnrolmentToken.Delete().Where(enrolmenttoken.NodeID(nodeID), enrolmenttoken.UsedAtIsNil()).Exec(sys); err != nil {
		return nil, fmt.Errorf("end older enrolment tokens: %w", err)
	}
	secret := token.NewOpaque(token.PrefixEnrolment)
	e := &Enrolment{
		Token: secret.Plain, ExpiresAt: now().Add(enrolmentLifetime),
		Command: fmt.Sprintf("CATALYST_PANEL_URL=%s CATALYST_ENROL_TOKEN=%s catalyst agent", s.PublicURL, secret.Plain),
	}
	err := t.EnrolmentToken.Create().SetNodeID(nodeID).SetTokenHash(secret.Hash).SetExpiresAt(e.ExpiresAt).Exec(ctx)
	if ent.IsConstraintError(err) {
		return nil, fault.Missing("node")
	}
	if err != nil {
		return nil, fmt.Errorf("store enrolment token: %w", err)
	}
	return e, nil
}

// Enrol spends a token and makes key the node's key. A node that enrols again loses its older key, and with it its
// older link. The agent link calls it as the system.
func (s *Service) Enrol(ctx context.Context, secret string, key ed25519.PublicKey, remote netip.Addr) (string, error) {
	ctx = viewer.System(ctx, s.Logger, "enrol a node")
	refused := fault.New(fault.Unauthenticated, "This enrolment token is unknown, used or expired: make a new one with createEnrolmentToken.")
	if len(key) != ed25519.PublicKeySize {
		return "", fault.Input("publicKey", "The public key must be an Ed25519 key of %d bytes.", ed25519.PublicKeySize)
	}
	var nodeID string
	e := audit.Entry{Action: "node.enrol", TargetType: "Node"}
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		// One statement marks the token as used, so that of two callers one finds it.
		used, err := t.EnrolmentToken.Update().
			Where(enrolmenttoken.TokenHash(token.Hash(secret)), enrolmenttoken.UsedAtIsNil(), enrolmenttoken.ExpiresAtGT(now())).
			SetUsedAt(now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("spend enrolment token: %w", err)
		}
		if used == 0 {
			return refused
		}
		spent, err := t.EnrolmentToken.Query().Where(enrolmenttoken.TokenHash(token.Hash(secret))).Only(ctx)
		if err != nil {
			return fmt.Errorf("read enrolment token: %w", err)
		}
		nodeID = spent.NodeID
		e.TargetID, e.Details = nodeID, map[string]any{"remote": remote.String()}
		if err := t.Node.UpdateOneID(nodeID).SetPublicKey(key).SetLinkSession("").Exec(ctx); err != nil {
			return fmt.Errorf("store the node's key: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	s.Logger.InfoContext(ctx, "node enrolled", slog.String("node_id", nodeID), slog.String("remote", remote.String()))
	if s.Recheck != nil {
		s.Recheck(ctx, nodeID)
	}
	return nodeID, nil
}
