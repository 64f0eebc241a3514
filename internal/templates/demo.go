package templates

import "github.com/catalyst-panel/catalyst/internal/templates/document"

// demoSlug recognises the Demo template whatever people rename it to.
const demoSlug = "demo"

// demo is the tiny game inside the binary. Its program is named "catalyst": every runtime takes that for the agent's
// own executable, so that the template works offline and on every node.
func demo() document.Template {
	t := document.New()
	t.Slug, t.Name, t.Author = demoSlug, "Demo", "Catalyst"
	t.Description = "A tiny game inside Catalyst itself, to see how a server behaves. It obeys: say TEXT, burst N, rate N SECONDS, mem MB, cpu SECONDS, write PATH MB, crash CODE, stop."
	t.Startup.Argv = []string{"catalyst", "demo-game"}
	t.Ready = document.Ready{Patterns: []string{`^ready$`}, Timeout: 30}
	t.Stop.Command, t.Stop.Grace = "stop", new(10)
	t.Limits = document.Limits{Memory: 64 << 20, Disk: 64 << 20}
	return t
}
