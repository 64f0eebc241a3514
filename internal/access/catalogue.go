package access

// Permission is one thing that may be allowed: a lower-case area and verb.
type Permission string

// The permissions. They are part of the API: never rename one.
const (
	AdminRead       Permission = "admin.read"
	AdminWrite      Permission = "admin.write"
	UserRead        Permission = "user.read"
	UserCreate      Permission = "user.create"
	UserUpdate      Permission = "user.update"
	UserDelete      Permission = "user.delete"
	RoleRead        Permission = "role.read"
	RoleCreate      Permission = "role.create"
	RoleUpdate      Permission = "role.update"
	RoleDelete      Permission = "role.delete"
	LocationRead    Permission = "location.read"
	LocationCreate  Permission = "location.create"
	LocationUpdate  Permission = "location.update"
	LocationDelete  Permission = "location.delete"
	TemplateRead    Permission = "template.read"
	TemplateCreate  Permission = "template.create"
	TemplateUpdate  Permission = "template.update"
	TemplateDelete  Permission = "template.delete"
	NodeRead        Permission = "node.read"
	NodeCreate      Permission = "node.create"
	NodeUpdate      Permission = "node.update"
	NodeDelete      Permission = "node.delete"
	ServerRead      Permission = "server.read"
	ServerCreate    Permission = "server.create"
	ServerUpdate    Permission = "server.update"
	ServerDelete    Permission = "server.delete"
	ServerStart     Permission = "server.start"
	ServerStop      Permission = "server.stop"
	ServerRestart   Permission = "server.restart"
	ServerKill      Permission = "server.kill"
	ServerInstall   Permission = "server.install"
	ServerSuspend   Permission = "server.suspend"
	ServerTransfer  Permission = "server.transfer"
	ServerAccess    Permission = "server.access"
	ConsoleRead     Permission = "console.read"
	ConsoleWrite    Permission = "console.write"
	FileRead        Permission = "file.read"
	FileWrite       Permission = "file.write"
	FileDelete      Permission = "file.delete"
	BackupRead      Permission = "backup.read"
	BackupCreate    Permission = "backup.create"
	BackupRestore   Permission = "backup.restore"
	BackupDelete    Permission = "backup.delete"
	TaskRead        Permission = "task.read"
	TaskCreate      Permission = "task.create"
	TaskUpdate      Permission = "task.update"
	TaskDelete      Permission = "task.delete"
	TaskExecute     Permission = "task.execute"
	AlertRead       Permission = "alert.read"
	AlertResolve    Permission = "alert.resolve"
	AlertRuleRead   Permission = "alertrule.read"
	AlertRuleCreate Permission = "alertrule.create"
	AlertRuleUpdate Permission = "alertrule.update"
	AlertRuleDelete Permission = "alertrule.delete"
	WebhookRead     Permission = "webhook.read"
	WebhookCreate   Permission = "webhook.create"
	WebhookUpdate   Permission = "webhook.update"
	WebhookDelete   Permission = "webhook.delete"
	AuditRead       Permission = "audit.read"
)

// Entry describes one permission of the catalogue.
type Entry struct {
	// Permission is the permission itself.
	Permission Permission
	// Description says what it allows, in one sentence.
	Description string
	// ServerLevel says that it can be given for one server, and that a server's owner has it there.
	ServerLevel bool
}

// catalogue is every permission that there is. Servers are created, suspended and moved by those who run the nodes,
// so these three are not server-level.
var catalogue = []Entry{
	{AdminRead, "See totals, health and settings of the whole system.", false},
	{AdminWrite, "Change settings of the whole system.", false},
	{UserRead, "See all accounts.", false},
	{UserCreate, "Create accounts.", false},
	{UserUpdate, "Change, suspend and give roles to accounts.", false},
	{UserDelete, "Delete accounts.", false},
	{RoleRead, "See all roles.", false},
	{RoleCreate, "Create roles.", false},
	{RoleUpdate, "Change roles.", false},
	{RoleDelete, "Delete roles.", false},
	{LocationRead, "See all locations.", false},
	{LocationCreate, "Create locations.", false},
	{LocationUpdate, "Change locations.", false},
	{LocationDelete, "Delete locations.", false},
	{TemplateRead, "See all templates.", false},
	{TemplateCreate, "Create and import templates.", false},
	{TemplateUpdate, "Change templates.", false},
	{TemplateDelete, "Delete templates.", false},
	{NodeRead, "See all nodes and their allocations.", false},
	{NodeCreate, "Create nodes.", false},
	{NodeUpdate, "Change nodes, their allocations and unlimited servers.", false},
	{NodeDelete, "Delete nodes.", false},
	{ServerRead, "See the server.", true},
	{ServerCreate, "Create servers.", false},
	{ServerUpdate, "Change the server.", true},
	{ServerDelete, "Delete the server.", true},
	{ServerStart, "Start the server.", true},
	{ServerStop, "Stop the server.", true},
	{ServerRestart, "Restart the server.", true},
	{ServerKill, "End the server at once.", true},
	{ServerInstall, "Install the server anew.", true},
	{ServerSuspend, "Suspend servers.", false},
	{ServerTransfer, "Move servers to other nodes.", false},
	{ServerAccess, "Let others into the server.", true},
	{ConsoleRead, "Read the server's console.", true},
	{ConsoleWrite, "Send commands to the server's console.", true},
	{FileRead, "Read the server's files.", true},
	{FileWrite, "Write the server's files.", true},
	{FileDelete, "Delete the server's files.", true},
	{BackupRead, "See the server's backups.", true},
	{BackupCreate, "Make backups of the server.", true},
	{BackupRestore, "Restore the server from backups.", true},
	{BackupDelete, "Delete the server's backups.", true},
	{TaskRead, "See the server's scheduled tasks.", true},
	{TaskCreate, "Create scheduled tasks.", true},
	{TaskUpdate, "Change scheduled tasks.", true},
	{TaskDelete, "Delete scheduled tasks.", true},
	{TaskExecute, "Run scheduled tasks at once.", true},
	{AlertRead, "See alerts.", true},
	{AlertResolve, "Resolve alerts.", true},
	{AlertRuleRead, "See alert rules.", false},
	{AlertRuleCreate, "Create alert rules.", false},
	{AlertRuleUpdate, "Change alert rules.", false},
	{AlertRuleDelete, "Delete alert rules.", false},
	{WebhookRead, "See webhooks and their deliveries.", false},
	{WebhookCreate, "Create webhooks.", false},
	{WebhookUpdate, "Change webhooks.", false},
	{WebhookDelete, "Delete webhooks.", false},
	{AuditRead, "See the whole audit trail.", false},
}
