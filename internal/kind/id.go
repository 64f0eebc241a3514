package kind

import (
	"strings"

	"go.jetify.com/typeid/v2"
)

// Prefix is the first part of a TypeID: it names the entity that the identifier belongs to.
type Prefix string

// The prefixes of every entity that has a TypeID. They are part of the API: never rename one.
const (
	PrefixUser            Prefix = "user"
	PrefixRole            Prefix = "role"
	PrefixLocation        Prefix = "loc"
	PrefixNode            Prefix = "node"
	PrefixAllocation      Prefix = "alloc"
	PrefixTemplate        Prefix = "tmpl"
	PrefixServer          Prefix = "srv"
	PrefixServerAccess    Prefix = "access"
	PrefixInvite          Prefix = "invite"
	PrefixBackup          Prefix = "backup"
	PrefixBackupStorage   Prefix = "storage"
	PrefixTask            Prefix = "task"
	PrefixTaskRun         Prefix = "run"
	PrefixTransfer        Prefix = "transfer"
	PrefixAlert           Prefix = "alert"
	PrefixAlertRule       Prefix = "rule"
	PrefixAuditLog        Prefix = "audit"
	PrefixAPIKey          Prefix = "key"
	PrefixSSHKey          Prefix = "sshkey"
	PrefixEnrolmentToken  Prefix = "enrol"
	PrefixWebhook         Prefix = "hook"
	PrefixWebhookDelivery Prefix = "delivery"
	PrefixSession         Prefix = "session"
	PrefixRecoveryCode    Prefix = "recovery"
	PrefixPasswordReset   Prefix = "reset"
	PrefixSetting         Prefix = "setting"
	PrefixOutbox          Prefix = "outbox"
)

// NewID returns a fresh TypeID (prefix, underscore, base32 of a UUIDv7), which sorts by the time it was made.
func NewID(p Prefix) string {
	return typeid.MustGenerate(string(p)).String()
}

// ValidID reports whether id is a well-formed TypeID with the prefix p.
func ValidID(p Prefix, id string) bool {
	parsed, err := typeid.Parse(id)
	return err == nil && parsed.Prefix() == string(p)
}

// PrefixOf returns the part of id before the last underscore, or "" when there is none. It does not check the rest.
func PrefixOf(id string) Prefix {
	i := strings.LastIndexByte(id, '_')
	if i < 0 {
		return ""
	}
	return Prefix(id[:i])
}
