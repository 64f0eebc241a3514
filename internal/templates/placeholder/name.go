package placeholder

import (
	"regexp"
	"slices"
	"strings"
)

// The variables that Catalyst itself gives every server.
const (
	ServerID   = "SERVER_ID"
	ServerIP   = "SERVER_IP"
	ServerPort = "SERVER_PORT"
	// ServerMemory is MiB; 0 is unlimited.
	ServerMemory = "SERVER_MEMORY"
	// ServerName gives way to a variable of the template that has this name.
	ServerName = "SERVER_NAME"
	// Label is the server's name under a name that no template's variable can have.
	Label = "CATALYST_SERVER_NAME"
	// Swap and Disk are MiB, CPU is percent of one core; 0 is unlimited.
	Swap = "CATALYST_SERVER_SWAP"
	Disk = "CATALYST_SERVER_DISK"
	CPU  = "CATALYST_SERVER_CPU"
	// Gateway is the address under which the server's program reaches its node.
	Gateway = "CATALYST_GATEWAY"
)

// synonyms are what other panels call these, and what their eggs use.
var synonyms = map[string]string{
	"server.id": ServerID, "server.uuid": ServerID, "server.name": Label,
	"server.build.memory": ServerMemory, "server.build.memory_limit": ServerMemory,
	"server.build.swap": Swap, "server.build.disk": Disk, "server.build.disk_space": Disk,
	"server.build.cpu": CPU, "server.build.cpu_limit": CPU,
	"server.build.default.ip": ServerIP, "server.build.default.port": ServerPort,
	"server.allocations.default.ip": ServerIP, "server.allocations.default.port": ServerPort,
	"config.docker.interface": Gateway, "config.docker.network.interface": Gateway,
}

// environments are the prefixes that other panels put before a variable's key.
var environments = []string{"env.", "server.build.env.", "server.build.environment.", "server.environment.", "server.env."}

// pattern is a placeholder, with optional space inside the braces.
var pattern = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}`)

// leading is a placeholder at the start of a text.
var leading = regexp.MustCompile(`^` + pattern.String())

// keyPattern is what a variable's key looks like: what a shell can expand.
var keyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// ValidKey reports whether a text can be the key of an environment variable.
func ValidKey(s string) bool { return keyPattern.MatchString(s) }

// Key returns the environment variable that holds what a placeholder's name stands for.
func Key(name string) (string, bool) {
	if key, ok := synonyms[name]; ok {
		return key, true
	}
	for _, prefix := range environments {
		if key, ok := strings.CutPrefix(name, prefix); ok {
			return key, ValidKey(key)
		}
	}
	return name, ValidKey(name)
}

// Names returns the names of the placeholders in texts, each once, in their order.
func Names(texts ...string) []string {
	var names []string
	for _, text := range texts {
		for _, m := range pattern.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(names, m[1]) {
				names = append(names, m[1])
			}
		}
	}
	return names
}

// Expand replaces the placeholders in a text by their values. What is unknown becomes empty, as an unset variable would;
// values are not looked through for placeholders again.
func Expand(text string, values map[string]string) string {
	return pattern.ReplaceAllStringFunc(text, func(m string) string {
		key, ok := Key(pattern.FindStringSubmatch(m)[1])
		if !ok {
			return ""
		}
		return values[key]
	})
}

// Argv replaces the placeholders in a program's arguments. Each argument stays one argument whatever the values hold.
func Argv(argv []string, values map[string]string) []string {
	out := make([]string, len(argv))
	for i, arg := range argv {
		out[i] = Expand(arg, values)
	}
	return out
}
