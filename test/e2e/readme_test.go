package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// The tour of README.md is run as it stands. A block marked graphql is an operation; the block marked json after it is
// its answer, and after a subscription it is any number of messages that have to come. In answers "…" stands for what
// differs with each run. In operations PASSWORD is the printed password, and SERVER_ID, TEMPLATE_ID, NODE_ID,
// LOCATION_ID and USER_ID are ids from the answers before.

// step is one operation of the tour and what has to be answered.
type step struct {
	query string
	want  []any
}

var (
	fenced  = regexp.MustCompile("(?ms)^```(graphql|json)\n(.*?)^```$")
	idField = regexp.MustCompile(`"((srv|tmpl|node|loc|user|usr)_[0-9a-z]{26})"`)
)

// placeholders are the names of ids in the tour, by the ids' prefix.
var placeholders = map[string]string{
	"srv": "SERVER_ID", "tmpl": "TEMPLATE_ID", "node": "NODE_ID", "loc": "LOCATION_ID", "user": "USER_ID", "usr": "USER_ID",
}

func TestReadme(t *testing.T) {
	t.Parallel()
	steps := tour(t)
	if len(steps) < 5 {
		t.Fatalf("README.md has %d operations, want a tour", len(steps))
	}
	w := &world{
		tb: t, dir: harness.DataDir(t, nil), addr: harness.FreeAddr(t),
		env: []string{"CATALYST_RATE_LIMIT=", "CATALYST_RUNTIME=", "CATALYST_ADMIN_PASSWORD="},
	}
	w.nodeDir = w.dir
	w.startDev()
	password := firstPassword(t, w)
	g := &guide{t: t, client: w.panel.Anonymous(), values: map[string]string{"PASSWORD": password}}
	w.admin = w.panel.Login("admin", password)
	w.awaitOnline(true)
	for _, s := range steps {
		g.take(s)
	}
	for _, check := range g.later {
		check()
	}
}

// tour reads the operations of the README.
func tour(t *testing.T) []step {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, block := range fenced.FindAllSubmatch(text, -1) {
		if string(block[1]) == "graphql" {
			steps = append(steps, step{query: string(block[2])})
			continue
		}
		if len(steps) == 0 {
			continue
		}
		for d := json.NewDecoder(bytes.NewReader(block[2])); ; {
			var v any
			err := d.Decode(&v)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("README.md: %v in:\n%s", err, block[2])
			}
			last := &steps[len(steps)-1]
			last.want = append(last.want, data(v))
		}
	}
	return steps
}

// data is the data of an answer, whether or not it is written with its envelope.
func data(v any) any {
	if m, ok := v.(map[string]any); ok && m["data"] != nil {
		return m["data"]
	}
	return v
}

// guide takes the steps of the tour.
type guide struct {
	t      *testing.T
	client *harness.Client
	values map[string]string
	// later are the checks of subscriptions, whose messages follow from steps after them.
	later []func()
}

// take runs a step.
func (g *guide) take(s step) {
	g.t.Helper()
	query := s.query
	for name, value := range g.values {
		query = strings.ReplaceAll(query, name, value)
	}
	if strings.HasPrefix(strings.TrimSpace(query), "subscription") {
		sub := g.client.Watch(query, nil)
		g.later = append(g.later, func() { g.expect(sub, s) })
		return
	}
	var got json.RawMessage
	harness.Eventually(g.t, soon, "the answer is what README.md shows to\n"+query, func() error {
		if err := g.client.Do(g.t.Context(), query, nil, &got); err != nil {
			if len(s.want) > 0 && refusedAs(s.want[0], harness.Code(err)) {
				return nil
			}
			return err
		}
		g.learn(got)
		if len(s.want) == 0 || like(s.want[0], decode(g.t, got), false) {
			return nil
		}
		err := fmt.Errorf("got %s", got)
		if strings.HasPrefix(strings.TrimSpace(query), "mutation") {
			g.t.Fatalf("%s\n%v", query, err) // it is not done twice
		}
		return err
	})
}

// learn remembers ids and the access token of an answer.
func (g *guide) learn(got json.RawMessage) {
	for _, m := range idField.FindAllSubmatch(got, -1) {
		g.values[placeholders[string(m[2])]] = string(m[1])
	}
	var login struct{ Login struct{ AccessToken string } }
	if err := json.Unmarshal(got, &login); err == nil && login.Login.AccessToken != "" {
		g.client.Token = login.Login.AccessToken
	}
}

// expect reads messages until each wanted one has come.
func (g *guide) expect(sub *harness.Subscription, s step) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 10*time.Second)
	defer cancel()
	missing := append([]any{}, s.want...)
	for len(missing) > 0 {
		var got json.RawMessage
		if err := sub.Next(ctx, &got); err != nil {
			g.t.Errorf("README.md: %s\nnever sent %v: %v", s.query, missing, err)
			return
		}
		message := decode(g.t, got)
		var rest []any
		for _, want := range missing {
			if !within(want, message) {
				rest = append(rest, want)
			}
		}
		missing = rest
	}
}

func decode(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// like compares what is shown with what was answered. Of lists in messages, which may be cut anywhere, some elements
// are enough.
func like(want, got any, some bool) bool {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok || (!some && len(m) != len(want)) {
			return false
		}
		for key, v := range want {
			if g, ok := m[key]; !ok || !like(v, g, some) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		if !ok || (!some && len(list) != len(want)) {
			return false
		}
		for i, v := range want {
			if some && !anyLike(v, list) || !some && !like(v, list[i], false) {
				return false
			}
		}
		return true
	case string:
		return likeText(want, got)
	}
	return want == got
}

// within reports whether something in a message is like what is wanted.
func within(want, message any) bool {
	if like(want, message, true) {
		return true
	}
	switch m := message.(type) {
	case map[string]any:
		for _, part := range m {
			if within(want, part) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, func(part any) bool { return within(want, part) })
	}
	return false
}

func anyLike(want any, list []any) bool {
	for _, got := range list {
		if like(want, got, true) {
			return true
		}
	}
	return false
}

// likeText compares texts in which … stands for anything. Alone it stands for values of other types too.
func likeText(want string, got any) bool {
	if want == "…" {
		return got != nil
	}
	text, ok := got.(string)
	if !ok {
		return false
	}
	parts := strings.Split(want, "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(text)
}

// refusedAs reports whether a wanted answer is the refusal with the code.
func refusedAs(want any, code string) bool {
	answer, _ := want.(map[string]any)
	errs, _ := answer["errors"].([]any)
	if len(errs) != 1 {
		return false
	}
	first, _ := errs[0].(map[string]any)
	extensions, _ := first["extensions"].(map[string]any)
	return extensions["code"] == code && code != ""
}
