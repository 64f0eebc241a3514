package process

import (
	"crypto/rand"
	"maps"
	"slices"

	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/agent/pattern/compile"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// searchPath is where programs are looked for; Debian has its games in a directory of their own.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/games:/usr/games"

// holderSpec translates what the panel wants into what a holder runs. ownBin holds this executable.
func holderSpec(spec runtime.Spec, ownBin string) (holder.Spec, error) {
	server := spec.Server
	h := holder.Spec{
		Run:          spec.Run,
		Mark:         rand.Text(),
		Argv:         server.GetArgv(),
		Dir:          attach.FilesDir(spec.Dir),
		ConsoleDir:   attach.ConsoleDir(spec.Dir),
		ConsoleAfter: server.GetConsole().GetAfter(),
		Limits: output.Limits{
			BurstLines:     server.GetConsole().GetBurstLines(),
			BurstBytes:     server.GetConsole().GetBurstBytes(),
			LinesPerSecond: server.GetConsole().GetLinesPerSecond(),
			BytesPerSecond: server.GetConsole().GetBytesPerSecond(),
		},
	}
	for _, expr := range server.GetReadyPatterns() {
		program, err := compile.Compile(expr)
		if err != nil {
			return h, err //nolint:wrapcheck // it is a sentence for people
		}
		h.ReadyPatterns = append(h.ReadyPatterns, program)
	}
	if server.GetShell() != "" {
		h.Argv, h.Shell = []string{"/bin/sh", "-c", server.GetShell()}, true
	}
	// Nothing of the agent's own environment: it may hold secrets.
	env := map[string]string{"PATH": searchPath + ":" + ownBin, "HOME": h.Dir, "LANG": "C.UTF-8"}
	maps.Copy(env, server.GetEnvironment())
	env["PWD"], env[holder.MarkKey] = h.Dir, h.Mark
	for _, key := range slices.Sorted(maps.Keys(env)) {
		h.Env = append(h.Env, key+"="+env[key])
	}
	return h, nil
}
