package egg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
)

// programs are what each egg starts, and with what it prepares and accompanies that.
var programs = map[string][]string{
	"egg-factorio":                          {"bin/x64/factorio"},
	"egg-paper":                             {"bin/java"},
	"egg-pterodactyl-ark--survival-evolved": {"ShooterGame/Binaries/Linux/ShooterGameServer", "bin/rcon"},
	"egg-pterodactyl-palworld":              {"Pal/Binaries/Linux/PalServer-Linux-Shipping", "PalworldServerConfigParser", "bin/rcon"},
	"egg-pterodactyl-teeworlds":             {"teeworlds_srv"},
	"egg-pterodactyl-terraria-vanilla":      {"TerrariaServer.bin.x86_64"},
	"egg-pterodactyl-vanilla-bedrock":       {"bedrock_server"},
	"egg-rust":                              {"RustDedicated"},
	"egg-valheim":                           {"valheim_server.x86_64"},
	"egg-velocity":                          {"bin/java"},
	"egg-xonotic":                           {"xonotic-linux64-dedicated"},
	"pterodactyl-egg-paper":                 {"bin/java"},
}

// recorder is a program that leaves its arguments in a file of its own.
const recorder = `#!/bin/bash
f=$(mktemp "$RECORD/${0##*/}.XXXXXX")
printf '%s\0' "$@" > "$f"
`

// record is the recorder's file: written once, before anything is started, since a process that is just being forked
// would have it open for writing, and a file that is open for writing cannot be executed.
var record = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "recorder")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "recorder")
	return file, os.WriteFile(file, []byte(recorder), 0o755)
})

func TestMain(m *testing.M) {
	file, err := record()
	code := 1
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, os.RemoveAll(filepath.Dir(file)), testbed.Cleanup()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// start runs a template's startup under bash, in a directory with programs that record how they were started, and returns
// the arguments of each start of the first of them, in order.
func start(t *testing.T, tmpl document.Template, programs []string, values map[string]string) [][]string {
	t.Helper()
	home, starts := t.TempDir(), t.TempDir()
	file, err := record()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		path := filepath.Join(home, p)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, path); err != nil {
			t.Fatal(err)
		}
	}
	line := strings.ReplaceAll(placeholder.Shell(tmpl.Startup.Shell), "/home/container", home)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/bash", "-c", line)
	cmd.Dir = home
	cmd.Env = []string{"RECORD=" + starts, "PATH=" + home + "/bin:/usr/bin:/bin", "HOME=" + home}
	for key, value := range values {
		if !document.Guarded(key) {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the startup did not end: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "pwned*")); len(left) > 0 {
		t.Fatalf("a value became a command: %v\n%s", left, out)
	}
	files, err := filepath.Glob(filepath.Join(starts, filepath.Base(programs[0])+".*"))
	if err != nil {
		t.Fatal(err)
	}
	var found [][]string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for arg := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
			args = append(args, string(arg))
		}
		found = append(found, args)
	}
	slices.SortFunc(found, slices.Compare)
	return found
}

// hostile are values that would do harm if a shell evaluated them.
var hostile = []string{
	"'\"; touch pwned $(touch pwned2) \n`touch pwned3` \\",
	"$(touch pwned)", "`touch pwned`", "a; touch pwned", "a\ntouch pwned", "\" && touch pwned \"", "' ; touch pwned ; '",
	"${HOME}", "* /etc/*", "| touch pwned", "> pwned", "&& touch pwned #", "a b  c", "\\", "$'\\x27'",
}

// TestHostileValues puts such values into every variable of every egg: the same programs start, and every argument has in
// it what the value says and nothing else.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for name, text := range eggs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl, _, err := egg.Import(text)
			if err != nil {
				t.Fatal(err)
			}
			plain := map[string]string{"SERVER_PORT": "T_SERVER_PORT_T", "SERVER_IP": "T_SERVER_IP_T", "SERVER_MEMORY": "T_SERVER_MEMORY_T"}
			for _, v := range tmpl.Variables {
				plain[v.Key] = "T_" + v.Key + "_T"
			}
			want := start(t, tmpl, programs[name], plain)
			if len(want) == 0 {
				t.Fatal("the startup started nothing")
			}
			for _, value := range hostile {
				values := map[string]string{}
				var tokens []string
				for key, token := range plain {
					values[key] = value
					tokens = append(tokens, token, value)
				}
				put := strings.NewReplacer(tokens...)
				got := start(t, tmpl, programs[name], values)
				if len(got) != len(want) {
					t.Errorf("%q: %d starts, want %d: %q", value, len(got), len(want), got)
					continue
				}
				for i := range want {
					// A bare placeholder splits into words, a quoted one does not: words are what both have in common.
					wanted := strings.Fields(put.Replace(strings.Join(want[i], " ")))
					if diff := cmp.Diff(wanted, strings.Fields(strings.Join(got[i], " "))); diff != "" {
						t.Errorf("%q (-want +got):\n%s", value, diff)
					}
				}
			}
		})
	}
}
