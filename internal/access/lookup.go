package access

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/predicate"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// lookup finds one kind of entity for Check: it fails as not found for what the viewer may not see, and returns the
// identifier of the server that the entity belongs to, if it belongs to one.
type lookup struct {
	noun string
	find func(ctx context.Context, c *ent.Client, id string) (server string, err error)
}

// lookups has a row for each kind of entity that operations act on.
var lookups = map[kind.Prefix]lookup{
	kind.PrefixServer: {"server", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		return c.Server.Query().Where(server.ID(id)).OnlyID(ctx)
	}},
	kind.PrefixServerAccess: {"server access", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.ServerAccess.Get(ctx, id)
		return serverID(e, err, func(e *ent.ServerAccess) string { return e.ServerID })
	}},
	kind.PrefixInvite: {"invitation", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.Invite.Get(ctx, id)
		return serverID(e, err, func(e *ent.Invite) string { return e.ServerID })
	}},
	kind.PrefixBackup: {"backup", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.Backup.Query().Where(backup.ID(id)).Select(backup.FieldServerID).Only(ctx)
		return serverID(e, err, func(e *ent.Backup) string { return e.ServerID })
	}},
	kind.PrefixTask: {"task", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.ScheduledTask.Query().Where(scheduledtask.ID(id)).Select(scheduledtask.FieldServerID).Only(ctx)
		return serverID(e, err, func(e *ent.ScheduledTask) string { return e.ServerID })
	}},
	kind.PrefixTaskRun: {"run", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.TaskRun.Query().Where(taskrun.ID(id)).QueryTask().Select(scheduledtask.FieldServerID).Only(ctx)
		return serverID(e, err, func(e *ent.ScheduledTask) string { return e.ServerID })
	}},
	kind.PrefixTransfer: {"transfer", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.Transfer.Get(ctx, id)
		return serverID(e, err, func(e *ent.Transfer) string { return e.ServerID })
	}},
	kind.PrefixAlert: {"alert", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.Alert.Get(ctx, id)
		return serverID(e, err, func(e *ent.Alert) string { return orEmpty(e.ServerID) })
	}},
	kind.PrefixAllocation: {"allocation", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		e, err := c.Allocation.Get(ctx, id)
		return serverID(e, err, func(e *ent.Allocation) string { return orEmpty(e.ServerID) })
	}},
	kind.PrefixUser: {"user", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.User.Get(ctx, id)
		return "", err
	}},
	kind.PrefixRole: {"role", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Role.Get(ctx, id)
		return "", err
	}},
	kind.PrefixLocation: {"location", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Location.Get(ctx, id)
		return "", err
	}},
	kind.PrefixNode: {"node", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Node.Get(ctx, id)
		return "", err
	}},
	kind.PrefixTemplate: {"template", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Template.Get(ctx, id)
		return "", err
	}},
	kind.PrefixBackupStorage: {"backup storage", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.BackupStorage.Get(ctx, id)
		return "", err
	}},
	kind.PrefixAlertRule: {"alert rule", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.AlertRule.Get(ctx, id)
		return "", err
	}},
	kind.PrefixWebhook: {"webhook", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Webhook.Get(ctx, id)
		return "", err
	}},
	kind.PrefixWebhookDelivery: {"delivery", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.WebhookDelivery.Get(ctx, id)
		return "", err
	}},
	kind.PrefixEnrolmentToken: {"enrolment token", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.EnrolmentToken.Get(ctx, id)
		return "", err
	}},
	kind.PrefixSetting: {"setting", func(ctx context.Context, c *ent.Client, id string) (string, error) {
		_, err := c.Setting.Get(ctx, id)
		return "", err
	}},
}

func serverID[E any](e *E, err error, of func(*E) string) (string, error) {
	if err != nil {
		return "", err
	}
	return of(e), nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func serverIs(id string) predicate.Server { return server.ID(id) }
