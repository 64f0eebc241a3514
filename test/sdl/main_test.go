package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/graph/sdl"
)

// published is the schema that clients were last told of.
const published = "published.graphql"

var update = flag.Bool("update", false, "publish the schema as it is now, with what it breaks")

// TestNothingBreaks reports changes of the schema that break clients. Where one is meant, it is published with -update, and
// the changelog says what clients have to do.
func TestNothingBreaks(t *testing.T) {
	t.Parallel()
	var now bytes.Buffer
	if err := run(&now); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(published, now.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	before, err := sdl.Load(published, string(text))
	if err != nil {
		t.Fatal(err)
	}
	after, err := sdl.Load("now", now.String())
	if err != nil {
		t.Fatal(err)
	}
	if broken := sdl.Breaking(before, after); len(broken) > 0 {
		t.Errorf("the schema breaks clients; if that is meant, run go test ./test/sdl -update and say so in the changelog:\n%s",
			strings.Join(broken, "\n"))
	}
}
