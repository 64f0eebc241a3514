package templates_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/templates"
)

// hostile are values that would do harm if a shell evaluated them.
var hostile = []string{
	`$(echo pwned)`, "`echo pwned`", `; echo pwned`, `" ; echo pwned ; "`, `' ; echo pwned ; '`, "a\necho pwned",
	`*`, `/etc/*`, `${HOME}`, `\`, `"`, `'`, `&& echo pwned`, `| echo pwned`, `> /dev/null`, `~`, `#`, `a  b`,
}

// TestShellValuesNeverBecomeCode runs the lines through a real shell: whatever the value, the program gets it as text.
func TestShellValuesNeverBecomeCode(t *testing.T) {
	t.Parallel()
	for _, value := range hostile {
		for line, want := range map[string]string{
			`printf '[%s]' "{{V}}"`:             "[" + value + "]",
			`printf '[%s]' '{{V}}'`:             "[" + value + "]",
			`printf '[%s]' "a{{V}}b" '{{ V }}'`: "[a" + value + "b][" + value + "]",
			`printf '[%s]' {{V}}`:               "[" + strings.Join(strings.Fields(value), "][") + "]",
		} {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", templates.Shell(line))
			cmd.Env = []string{"V=" + value, "HOME=/nowhere", "PATH=/usr/bin:/bin"}
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("%s with %q: %q, %v; want %q", line, value, out, err, want)
			}
		}
	}
}

// TestShellKeepsTheAuthorsConstructs runs what a template's author writes around placeholders.
func TestShellKeepsTheAuthorsConstructs(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`[ -n "{{V}}" ] && echo yes`:                  "yes\n",
		`echo $(printf '%s' "{{V}}" | tr a-z A-Z)`:    "HELLO\n",
		`if [ "{{V}}" = hello ]; then echo same; fi`:  "same\n",
		`echo "it's \"{{V}}\" and \$V"`:               "it's \"hello\" and $V\n",
		`X={{V}}; echo "$X-{{UNSET}}-{{V}}" {not} {{`: "hello--hello {not} {{\n",
	} {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", templates.Shell(line))
		cmd.Env = []string{"V=hello", "PATH=/usr/bin:/bin"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: %q, %v; want %q", line, out, err, want)
		}
	}
}

func TestArgvKeepsArgumentsApart(t *testing.T) {
	t.Parallel()
	got := templates.Argv([]string{"game", "--name", "{{NAME}}", "-p{{PORT}}", "{{NONE}}"}, map[string]string{"NAME": "a b; c", "PORT": "1"})
	if diff := cmp.Diff([]string{"game", "--name", "a b; c", "-p1", ""}, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// FuzzShell makes sure that no line of an author panics, and that a line without placeholders is passed on as it is.
func FuzzShell(f *testing.F) {
	for _, seed := range []string{"", "{{V}}", `'{{V}}`, `"\{{V}}"`, "{{", `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := templates.Shell(line)
		if !strings.Contains(line, "{{") && got != "set -f\n"+line {
			t.Errorf("%q became %q", line, got)
		}
	})
}
