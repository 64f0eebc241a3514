package changes

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Gate opens a context that lives as long as the viewer may read.
type Gate interface {
	// See lives as long as the viewer may see one entity.
	See(ctx context.Context, id string) (context.Context, func(), error)
	// Watch lives as long as the viewer is signed in.
	Watch(ctx context.Context) (context.Context, func(), error)
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Bus    *bus.Bus
	Gate   Gate
}

// Service lets people follow changes.
type Service struct{ Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Follow sends the changes of one entity, or of all of a kind (its name in ent) with an empty id, that the viewer may
// see. A deletion ends nothing: who could see the entity until then is told. It blocks until ctx ends, the right is
// lost, or send fails; a follower that is too slow misses changes, but never the last one.
func (s *Service) Follow(ctx context.Context, entity, id string, send func(Event) error) error {
	sub, err := Subscribe(ctx, s.Bus, id)
	if err != nil {
		return err
	}
	defer sub.Close()
	gated, closeGate, err := s.open(ctx, id)
	if err != nil {
		return err
	}
	defer closeGate()
	for {
		select {
		case <-gated.Done():
			return s.last(gated, sub, entity, send)
		case e, ok := <-sub.C():
			if !ok {
				return context.Cause(gated)
			}
			if e.Entity != entity || !s.visible(gated, e, id) {
				continue
			}
			if err := send(e); err != nil {
				return err
			}
		}
	}
}

// open opens the gate for one entity or for all.
func (s *Service) open(ctx context.Context, id string) (context.Context, func(), error) {
	if id == "" {
		return s.Gate.Watch(ctx)
	}
	return s.Gate.See(ctx, id)
}

// last sends the deletion that shut the gate, if that is what did, and returns why the gate shut.
func (s *Service) last(gated context.Context, sub *bus.Subscription[Event], entity string, send func(Event) error) error {
	cause := context.Cause(gated)
	if fault.CodeOf(cause) != fault.NotFound {
		return cause
	}
	for {
		select {
		case e, ok := <-sub.C():
			if !ok {
				return cause
			}
			if e.Entity != entity || e.Operation != kind.OperationDeleted {
				continue
			}
			return send(e)
		default:
			return cause
		}
	}
}

// visible reports whether the viewer may be told of an event.
func (s *Service) visible(ctx context.Context, e Event, id string) bool {
	if e.Operation != kind.OperationDeleted {
		return access.Visible(ctx, s.Client, e.EntityID) == nil
	}
	if id != "" {
		return true // it could be seen until now, or the gate would have shut
	}
	v := viewer.FromContext(ctx)
	return e.OwnerID != "" && e.OwnerID == v.UserID || access.Grants(v, deletions[e.Entity])
}

// deletions are the permissions with which one may see all entities of a kind, and so is told of their deletion.
var deletions = map[string]access.Permission{
	"Server": access.ServerRead, "Node": access.NodeRead, "Location": access.LocationRead, "Template": access.TemplateRead,
	"Allocation": access.NodeRead, "User": access.UserRead, "Role": access.RoleRead, "ServerAccess": access.ServerAccess,
	"Backup": access.BackupRead, "ScheduledTask": access.TaskRead, "TaskRun": access.TaskRead, "Transfer": access.ServerRead,
	"Alert": access.AlertRead, "AlertRule": access.AlertRuleRead, "Webhook": access.WebhookRead, "AuditLog": access.AuditRead,
}
