package store

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/alertrule"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/apikey"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/backupstorage"
	"github.com/catalyst-panel/catalyst/ent/enrolmenttoken"
	"github.com/catalyst-panel/catalyst/ent/invite"
	"github.com/catalyst-panel/catalyst/ent/location"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/ent/setting"
	"github.com/catalyst-panel/catalyst/ent/sshkey"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/ent/transfer"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/ent/webhook"
	"github.com/catalyst-panel/catalyst/ent/webhookdelivery"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// tables says by the prefix of an identifier which table its entity is in: every entity that the API shows.
var tables = map[kind.Prefix]string{
	kind.PrefixUser:            user.Table,
	kind.PrefixRole:            role.Table,
	kind.PrefixLocation:        location.Table,
	kind.PrefixNode:            node.Table,
	kind.PrefixAllocation:      allocation.Table,
	kind.PrefixTemplate:        template.Table,
	kind.PrefixServer:          server.Table,
	kind.PrefixServerAccess:    serveraccess.Table,
	kind.PrefixInvite:          invite.Table,
	kind.PrefixBackup:          backup.Table,
	kind.PrefixBackupStorage:   backupstorage.Table,
	kind.PrefixTask:            scheduledtask.Table,
	kind.PrefixTaskRun:         taskrun.Table,
	kind.PrefixTransfer:        transfer.Table,
	kind.PrefixAlert:           alert.Table,
	kind.PrefixAlertRule:       alertrule.Table,
	kind.PrefixAuditLog:        auditlog.Table,
	kind.PrefixAPIKey:          apikey.Table,
	kind.PrefixSSHKey:          sshkey.Table,
	kind.PrefixEnrolmentToken:  enrolmenttoken.Table,
	kind.PrefixWebhook:         webhook.Table,
	kind.PrefixWebhookDelivery: webhookdelivery.Table,
	kind.PrefixSession:         session.Table,
	kind.PrefixSetting:         setting.Table,
}

// NodeType finds the table of an identifier, for ent.WithNodeType. It fails as NOT_FOUND for anything else.
func NodeType(_ context.Context, id string) (string, error) {
	table, ok := tables[kind.PrefixOf(id)]
	if !ok {
		return "", fault.Missing("thing")
	}
	return table, nil
}
