package templates

import "github.com/catalyst-panel/catalyst/internal/kind"

// demoSlug recognises the Demo template whatever people rename it to.
const demoSlug = "demo"

// demo is the tiny game inside the binary. Its program is named "catalyst": every runtime takes that for the agent's
// own executable, so that the template works offline and on every node.
func demo() Fields {
	return Fields{
		slug:          demoSlug,
		builtin:       true,
		Name:          new("Demo"),
		Author:        new("Catalyst"),
		Description:   new("A tiny game inside Catalyst itself, to see how a server behaves. It obeys: say TEXT, burst N, rate N SECONDS, mem MB, cpu SECONDS, write PATH MB, crash CODE, stop."),
		StartupArgv:   []string{"catalyst", "demo-game"},
		ReadyPatterns: []string{`^ready$`},
		StartTimeout:  new(30),
		StopCommand:   new("stop"),
		StopGrace:     new(10),
		CrashPolicy:   new(kind.CrashPolicyOnFailure),
		Memory:        new(int64(64 << 20)),
		Disk:          new(int64(64 << 20)),
		Variables:     []kind.TemplateVariable{},
	}
}
