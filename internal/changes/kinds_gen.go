// Code generated from the announced entities of ent/schema. DO NOT EDIT.

package changes

import (
	"context"

	"entgo.io/ent"

	model "github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// The kinds of entities whose changes can be followed.
var (
	// Alert follows an alert.
	Alert = Kind[model.Alert]{
		prefix: kind.PrefixAlert, entity: model.TypeAlert, noun: "alert",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Alert, error) {
			return c.Alert.Get(ctx, id)
		},
	}
	// AlertRule follows an alert rule.
	AlertRule = Kind[model.AlertRule]{
		prefix: kind.PrefixAlertRule, entity: model.TypeAlertRule, noun: "alert rule",
		load: func(ctx context.Context, c *model.Client, id string) (*model.AlertRule, error) {
			return c.AlertRule.Get(ctx, id)
		},
	}
	// Allocation follows an allocation.
	Allocation = Kind[model.Allocation]{
		prefix: kind.PrefixAllocation, entity: model.TypeAllocation, noun: "allocation",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Allocation, error) {
			return c.Allocation.Get(ctx, id)
		},
	}
	// AuditLog follows an audit log.
	AuditLog = Kind[model.AuditLog]{
		prefix: kind.PrefixAuditLog, entity: model.TypeAuditLog, noun: "audit log",
		load: func(ctx context.Context, c *model.Client, id string) (*model.AuditLog, error) {
			return c.AuditLog.Get(ctx, id)
		},
	}
	// Backup follows a backup.
	Backup = Kind[model.Backup]{
		prefix: kind.PrefixBackup, entity: model.TypeBackup, noun: "backup",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Backup, error) {
			return c.Backup.Get(ctx, id)
		},
	}
	// Location follows a location.
	Location = Kind[model.Location]{
		prefix: kind.PrefixLocation, entity: model.TypeLocation, noun: "location",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Location, error) {
			return c.Location.Get(ctx, id)
		},
	}
	// Node follows a node.
	Node = Kind[model.Node]{
		prefix: kind.PrefixNode, entity: model.TypeNode, noun: "node",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Node, error) { return c.Node.Get(ctx, id) },
	}
	// Role follows a role.
	Role = Kind[model.Role]{
		prefix: kind.PrefixRole, entity: model.TypeRole, noun: "role",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Role, error) { return c.Role.Get(ctx, id) },
	}
	// Task follows a task.
	Task = Kind[model.ScheduledTask]{
		prefix: kind.PrefixTask, entity: model.TypeScheduledTask, noun: "task",
		load: func(ctx context.Context, c *model.Client, id string) (*model.ScheduledTask, error) {
			return c.ScheduledTask.Get(ctx, id)
		},
	}
	// Server follows a server.
	Server = Kind[model.Server]{
		prefix: kind.PrefixServer, entity: model.TypeServer, noun: "server",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Server, error) {
			return c.Server.Get(ctx, id)
		},
	}
	// ServerAccess follows a server access.
	ServerAccess = Kind[model.ServerAccess]{
		prefix: kind.PrefixServerAccess, entity: model.TypeServerAccess, noun: "server access",
		load: func(ctx context.Context, c *model.Client, id string) (*model.ServerAccess, error) {
			return c.ServerAccess.Get(ctx, id)
		},
	}
	// TaskRun follows a task run.
	TaskRun = Kind[model.TaskRun]{
		prefix: kind.PrefixTaskRun, entity: model.TypeTaskRun, noun: "task run",
		load: func(ctx context.Context, c *model.Client, id string) (*model.TaskRun, error) {
			return c.TaskRun.Get(ctx, id)
		},
	}
	// Template follows a template.
	Template = Kind[model.Template]{
		prefix: kind.PrefixTemplate, entity: model.TypeTemplate, noun: "template",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Template, error) {
			return c.Template.Get(ctx, id)
		},
	}
	// Transfer follows a transfer.
	Transfer = Kind[model.Transfer]{
		prefix: kind.PrefixTransfer, entity: model.TypeTransfer, noun: "transfer",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Transfer, error) {
			return c.Transfer.Get(ctx, id)
		},
	}
	// User follows a user.
	User = Kind[model.User]{
		prefix: kind.PrefixUser, entity: model.TypeUser, noun: "user",
		load: func(ctx context.Context, c *model.Client, id string) (*model.User, error) { return c.User.Get(ctx, id) },
	}
	// Webhook follows a webhook.
	Webhook = Kind[model.Webhook]{
		prefix: kind.PrefixWebhook, entity: model.TypeWebhook, noun: "webhook",
		load: func(ctx context.Context, c *model.Client, id string) (*model.Webhook, error) {
			return c.Webhook.Get(ctx, id)
		},
	}
)

// had returns what an entity that is about to be deleted belongs to, and whether its deletion is still to be announced.
func had(ctx context.Context, m ent.Mutation) (access.Had, bool, error) {
	switch m := m.(type) {
	case *model.AlertMutation:
		id, _ := m.ID()
		row, err := m.Client().Alert.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: orEmpty(row.ServerID)}, true, nil
	case *model.AlertRuleMutation:
		id, _ := m.ID()
		row, err := m.Client().AlertRule.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: orEmpty(row.ServerID)}, true, nil
	case *model.AllocationMutation:
		id, _ := m.ID()
		row, err := m.Client().Allocation.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: orEmpty(row.ServerID)}, true, nil
	case *model.AuditLogMutation:
		id, _ := m.ID()
		row, err := m.Client().AuditLog.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: orEmpty(row.ServerID)}, true, nil
	case *model.BackupMutation:
		id, _ := m.ID()
		row, err := m.Client().Backup.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: row.ServerID}, row.DeletedAt == nil, nil
	case *model.ScheduledTaskMutation:
		id, _ := m.ID()
		row, err := m.Client().ScheduledTask.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: row.ServerID}, true, nil
	case *model.ServerMutation:
		id, _ := m.ID()
		row, err := m.Client().Server.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{OwnerID: row.OwnerID}, row.DeletedAt == nil, nil
	case *model.ServerAccessMutation:
		id, _ := m.ID()
		row, err := m.Client().ServerAccess.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: row.ServerID, UserID: row.UserID}, true, nil
	case *model.TaskRunMutation:
		id, _ := m.ID()
		self, err := m.Client().TaskRun.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		row, err := self.QueryTask().Only(ctx)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: row.ServerID}, true, nil
	case *model.TransferMutation:
		id, _ := m.ID()
		row, err := m.Client().Transfer.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ServerID: row.ServerID}, true, nil
	case *model.WebhookMutation:
		id, _ := m.ID()
		row, err := m.Client().Webhook.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{OwnerID: orEmpty(row.OwnerID)}, true, nil
	}
	return access.Had{}, true, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
