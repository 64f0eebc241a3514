package feature

import (
	"regexp"
	"slices"
)

// The features that are known, as eggs name them.
const (
	// EULA is a licence that people have to agree to.
	EULA = "eula"
	// JavaVersion is a program that may need another Java than its image has.
	JavaVersion = "java_version"
	// Processes is a program that may need more processes than its server may have.
	Processes = "pid_limit"
	// SteamSpace is a program that Steam installs, which needs room.
	SteamSpace = "steam_disk_space"
)

// known are the features, with what a program writes when it needs something, and what people read then.
var known = []struct {
	name    string
	pattern *regexp.Regexp
	message string
}{
	{
		EULA, regexp.MustCompile(`(?i)you need to agree to the eula in order to run the server`),
		"The server's program asks whether you agree to its licence (EULA, https://aka.ms/MinecraftEULA). It starts when you do.",
	},
	{
		JavaVersion, regexp.MustCompile(`(?i)UnsupportedClassVersionError|unsupported major\.minor version|compiled by a more recent version of the java runtime|requires running the server with java|unsupported java detected`),
		"The server's program needs another version of Java: choose one of its template's images.",
	},
	{
		Processes, regexp.MustCompile(`(?i)pthread_create failed|unable to create (new )?native thread|failed to create a thread`),
		"The server's program could not start another thread: restart it, and give it more memory when that happens again.",
	},
	{
		SteamSpace, regexp.MustCompile(`(?i)steamcmd needs \d+ ?MB of free disk space|0x202 after update job`),
		"Steam has too little room for the server's program: give the server more disk space.",
	},
}

// Prompt is what a program asks for.
type Prompt struct {
	// Feature is what it belongs to, Message what people read.
	Feature string
	Message string
}

// Find returns what a program with these features asked for in the last lines before its end; nil when it is nothing.
func Find(features, lines []string) *Prompt {
	for _, f := range known {
		if slices.Contains(features, f.name) && slices.ContainsFunc(lines, f.pattern.MatchString) {
			return &Prompt{Feature: f.name, Message: f.message}
		}
	}
	return nil
}
