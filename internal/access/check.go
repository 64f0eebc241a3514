package access

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Target is what an operation acts on: one entity, or nothing that exists yet.
type Target struct{ id string }

// Anywhere is the target of operations that act on no existing entity, such as creating one.
var Anywhere = Target{}

// On is the target of an operation on the entity with the identifier id. A server, or what belongs to one, is checked
// with what the viewer may do on that server; everything else with what the viewer may do everywhere.
func On(id string) Target { return Target{id: id} }

// Check returns nil when the viewer in ctx may do what p allows to the target. Otherwise it returns UNAUTHENTICATED for
// an anonymous viewer, NOT_FOUND for a target that does not exist or that the viewer may not see, and FORBIDDEN, naming
// the permission, for one that the viewer may see. Inside a unit of work it reads through that, else through client.
func Check(ctx context.Context, client *ent.Client, p Permission, t Target) error {
	v := viewer.FromContext(ctx)
	switch {
	case v == nil:
		return anonymous()
	case v.IsSystem():
		return nil
	case t == Anywhere:
		if Grants(v, p) {
			return nil
		}
		return lacks(p)
	}
	server, err := locate(ctx, tx.Client(ctx, client), t.id)
	if err != nil {
		return err
	}
	if Grants(v, p) {
		return nil
	}
	if server == "" || !IsServerLevel(p) {
		return lacks(p)
	}
	allowed, err := onServer(ctx, tx.Client(ctx, client), v, p, server)
	if err != nil {
		return err
	}
	if !allowed {
		return lacks(p)
	}
	return nil
}

// OnServer returns the server-level permissions that the viewer in ctx has on a server, in the order of the catalogue:
// none for a server that the viewer may not see. It answers what the viewer may pass on to others there, too.
func OnServer(ctx context.Context, client *ent.Client, serverID string) ([]Permission, error) {
	v := viewer.FromContext(ctx)
	if v == nil {
		return nil, anonymous()
	}
	if v.IsSystem() {
		return ServerLevel(), nil
	}
	client = tx.Client(ctx, client)
	var out []Permission
	for _, p := range ServerLevel() {
		allowed := Grants(v, p)
		if !allowed {
			var err error
			if allowed, err = onServer(ctx, client, v, p, serverID); err != nil {
				return nil, err
			}
		}
		if allowed {
			out = append(out, p)
		}
	}
	return out, nil
}

// onServer reports whether the viewer may do p on one server by owning it or by an access to it.
func onServer(ctx context.Context, client *ent.Client, v *viewer.Viewer, p Permission, serverID string) (bool, error) {
	if !within(v, p) {
		return false, nil
	}
	ok, err := client.Server.Query().Where(serverIs(serverID), serverOf(v, p)).Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("look up the viewer's access to a server: %w", err)
	}
	return ok, nil
}

// locate finds the entity among those that the viewer may see and returns the server that it belongs to, if any.
func locate(ctx context.Context, client *ent.Client, id string) (server string, err error) {
	l, ok := lookups[kind.PrefixOf(id)]
	if !ok {
		return "", fault.Missing("thing")
	}
	server, err = l.find(ctx, client, id)
	if ent.IsNotFound(err) {
		return "", fault.Missing(l.noun)
	}
	if err != nil {
		return "", fmt.Errorf("look up %s: %w", l.noun, err)
	}
	return server, nil
}

func anonymous() error {
	return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
}

func lacks(p Permission) error {
	return fault.New(fault.Forbidden, "This needs the permission %s.", string(p))
}

// ID returns the identifier of the entity that the target stands for; empty for Anywhere.
func (t Target) ID() string { return t.id }
