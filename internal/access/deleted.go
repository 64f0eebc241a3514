package access

import (
	"context"
	"fmt"
	"slices"

	model "github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Had is what an entity that is gone belonged to. Fields that its kind does not have are empty.
type Had struct {
	// ServerID is the server that it belonged to.
	ServerID string `json:"serverId,omitempty"`
	// OwnerID is the owner of a server that goes with it.
	OwnerID string `json:"ownerId,omitempty"`
	// UserID is the account that it was about.
	UserID string `json:"userId,omitempty"`
	// Readers are further accounts that could see what goes with a server.
	Readers []string `json:"readers,omitempty"`
}

// reading says how entities of a kind come into sight.
type reading struct {
	// role is the permission that shows all of them.
	role Permission
	// server is the one that shows those of a server; empty when they belong to none.
	server Permission
}

// readings has a row for each kind of entity whose deletion is announced. It agrees with scope.
var readings = map[string]reading{
	model.TypeAlert:         {AlertRead, AlertRead},
	model.TypeAlertRule:     {AlertRuleRead, ""},
	model.TypeAllocation:    {NodeRead, ServerRead},
	model.TypeAuditLog:      {AuditRead, ""},
	model.TypeBackup:        {BackupRead, BackupRead},
	model.TypeLocation:      {LocationRead, ""},
	model.TypeNode:          {NodeRead, ""},
	model.TypeRole:          {RoleRead, ""},
	model.TypeScheduledTask: {TaskRead, TaskRead},
	model.TypeServer:        {ServerRead, ServerRead},
	model.TypeServerAccess:  {ServerAccess, ServerAccess},
	model.TypeTaskRun:       {TaskRead, TaskRead},
	model.TypeTemplate:      {TemplateRead, ""},
	model.TypeTransfer:      {ServerRead, ServerRead},
	model.TypeUser:          {UserRead, ""},
	model.TypeWebhook:       {WebhookRead, ""},
}

// CouldSee reports whether the viewer in ctx could see an entity that is gone, by what it belonged to: Scope for what
// cannot be looked up any more. A kind without a row in the table was seen by nobody.
func CouldSee(ctx context.Context, client *model.Client, entity string, had Had) (bool, error) {
	v := viewer.FromContext(ctx)
	if v == nil {
		return false, anonymous()
	}
	r, known := readings[entity]
	switch {
	case v.IsSystem():
		return true, nil
	case !known:
		return false, nil
	case Grants(v, r.role):
		return true, nil
	case r.server == "" || !within(v, r.server):
		return false, nil
	case had.OwnerID == v.UserID, slices.Contains(had.Readers, v.UserID):
		return true, nil
	case had.UserID == v.UserID && entity == model.TypeServerAccess:
		return true, nil
	case had.ServerID == "":
		return false, nil
	}
	return onServer(ctx, tx.Client(ctx, client), v, r.server, had.ServerID)
}

// Readers returns the accounts, apart from its owner, whose access to a server lists a permission. Catalyst itself asks.
func Readers(ctx context.Context, client *model.Client, serverID string, p Permission) ([]string, error) {
	ctx = viewer.System(ctx, nil, "look who sees a server")
	rows, err := client.ServerAccess.Query().Where(serveraccess.ServerID(serverID), listed(p)).
		Select(serveraccess.FieldUserID).Strings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the accesses of a server: %w", err)
	}
	return rows, nil
}
