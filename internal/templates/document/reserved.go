package document

import (
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
)

// reserved are the names that Catalyst sets itself.
var reserved = []string{
	placeholder.ServerID, placeholder.ServerIP, placeholder.ServerPort, placeholder.ServerMemory, "STARTUP", "HOME", "USER",
	"P_SERVER_UUID", "P_SERVER_LOCATION",
}

// guarded are names that change how programs and libraries are found or loaded, or what a shell does.
var guarded = []string{
	"PATH", "SHELL", "IFS", "ENV", "BASH_ENV", "PS4", "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS", "GCONV_PATH",
	"PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB",
	"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "DOTNET_STARTUP_HOOKS",
}

// Reserved reports whether no template may have a variable of the name.
func Reserved(key string) bool {
	return slices.Contains(reserved, key) || strings.HasPrefix(key, "CATALYST_") || strings.HasPrefix(key, "BASH_FUNC_")
}

// Guarded reports whether only a template's author may set the variable, and none who use a server.
func Guarded(key string) bool {
	return slices.Contains(guarded, key) || strings.HasPrefix(key, "LD_") || strings.HasPrefix(key, "GLIBC_") ||
		strings.HasPrefix(key, "MALLOC_")
}
