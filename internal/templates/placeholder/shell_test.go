package placeholder_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
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
			`printf '[%s]' "{{V}}"`:                            "[" + value + "]",
			`printf '[%s]' '{{V}}'`:                            "[" + value + "]",
			`printf '[%s]' "a{{V}}b" '{{ V }}'`:                "[a" + value + "b][" + value + "]",
			`printf '[%s]' "$(printf '%s.' '{{V}}')"`:          "[" + value + ".]",
			`printf '[%s]' $'a\'{{V}}\'b'`:                     "",
			`printf '[%s]' "$(printf '%s.' "{{env.V}}")"`:      "[" + value + ".]",
			`: # don't {{V}}` + "\n" + `printf '[%s]' "{{V}}"`: "[" + value + "]",
			`printf '[%s]' {{V}}`:                              "[" + strings.Join(strings.Fields(value), "][") + "]",
		} {
			shell := "/bin/sh"
			if want == "" { // what only bash knows
				shell, want = "/bin/bash", "[a'"+value+"'b]"
			}
			cmd := exec.CommandContext(t.Context(), shell, "-c", placeholder.Shell(line))
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
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", placeholder.Shell(line))
		cmd.Env = []string{"V=hello", "PATH=/usr/bin:/bin"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: %q, %v; want %q", line, out, err, want)
		}
	}
}

func TestArgvKeepsArgumentsApart(t *testing.T) {
	t.Parallel()
	got := placeholder.Argv([]string{"game", "--name", "{{NAME}}", "-p{{PORT}}", "{{NONE}}"}, map[string]string{"NAME": "a b; c", "PORT": "1"})
	if diff := cmp.Diff([]string{"game", "--name", "a b; c", "-p1", ""}, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// TestGlobsOfTheAuthorWork makes sure that set -f is there only where it is needed.
func TestGlobsOfTheAuthorWork(t *testing.T) {
	t.Parallel()
	if got := placeholder.Shell(`ls *.jar "{{V}}"`); got != `ls *.jar "${V}"` {
		t.Errorf("got %s", got)
	}
	if got := placeholder.Shell(`ls {{V}}`); got != "set -f\nls ${V}" {
		t.Errorf("got %s", got)
	}
}

func TestOnlyTheListIsReached(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"A": "a", "SERVER_PORT": "1", "SERVER_IP": "2", "SERVER_MEMORY": "3", "SERVER_ID": "4", "CATALYST_GATEWAY": "5",
		"CATALYST_SERVER_NAME": "{{A}}",
	}
	for text, want := range map[string]string{
		"{{A}}{{ env.A }}{{server.build.env.A}}{{server.environment.A}}":                     "aaaa",
		"{{server.build.default.port}}{{server.allocations.default.port}}{{SERVER_PORT}}":    "111",
		"{{server.build.default.ip}}{{server.allocations.default.ip}}":                       "22",
		"{{server.build.memory}}{{server.build.memory_limit}}{{server.uuid}}{{server.name}}": "334{{A}}",
		"{{config.docker.interface}}{{config.docker.network.interface}}":                     "55",
		"[{{config.token}}{{server.secret}}{{env.A.B}}{{NONE}}{{env.}}]":                     "[]",
		"{{A}} {A} {{ {{1}} {{A-B}}":                                                         "a {A} {{ {{1}} ",
	} {
		if got := placeholder.Expand(text, values); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	if got := placeholder.Shell(`x "{{config.token}}" {{server.build.default.port}}`); got != "set -f\nx \"\" ${SERVER_PORT}" {
		t.Errorf("got %s", got)
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	got := placeholder.Arithmetic(`[[ {{A}} -eq 1 ]] && echo $(( ${B} + $C )); [[ {{D}} == x ]]; [ {{E}} -eq 1 ] && ((F={{env.G}}))`)
	if diff := cmp.Diff([]string{"A", "B", "C", "G"}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// FuzzShell makes sure that no line of an author panics, that a line without placeholders is passed on as it is, and that
// nothing of the form {{KEY}} is left.
func FuzzShell(f *testing.F) {
	for _, seed := range []string{"", "{{V}}", `'{{V}}`, `"\{{V}}"`, "{{", `\`, "$'a\\'{{V}}", "\"$('{{V}}')\"", "`{{V}}`", "# {{V}}\n{{V}}", "$(("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := placeholder.Shell(line)
		if !strings.Contains(line, "{{") && got != line {
			t.Errorf("%q became %q", line, got)
		}
		placeholder.Arithmetic(line)
		if names := placeholder.Names(got); len(names) > 0 && !strings.Contains(line, "#") && !strings.Contains(line, "{{{") {
			t.Errorf("%q became %q, which still has %v", line, got, names)
		}
	})
}
