package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"

	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// example is an operation of the document, with the answer's code where it shows one.
var example = regexp.MustCompile("(?s)```graphql\n(.*?)```\n(?:```json\n(.*?)```\n)?")

// TestDocument runs the examples of docs/api.md as the owner of everything. Subscriptions, which would wait for
// something to happen, are checked against the schema.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newTenancy(t, testkit.Store(t, testkit.Dialects()[0]))
	w.online()
	ids := strings.NewReplacer("SERVER_ID", w.ids["Server"], "NODE_ID", w.ids["HostNode"], "ALLOCATION_ID", w.ids["Free"])
	examples := example.FindAllStringSubmatch(string(text), -1)
	if len(examples) < 8 {
		t.Fatalf("only %d examples were found", len(examples))
	}
	for _, e := range examples {
		query := ids.Replace(e[1])
		if strings.HasPrefix(query, "subscription") {
			if _, err := gqlparser.LoadQueryWithRules(w.Schema.Schema(), query, nil); err != nil {
				t.Errorf("%s: %v", query, err)
			}
			continue
		}
		var want struct{ Code string }
		if e[2] != "" {
			w.Must(json.Unmarshal([]byte(e[2]), &want))
		}
		if got := w.Post(w.owner, query, nil); got.Code() != want.Code {
			t.Errorf("%s: %s, want the code %q", query, got.Text, want.Code)
		}
	}
}
