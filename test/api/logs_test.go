package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// TestLogDownload takes a console along as text: every line once, in order, for as long as it may be read.
func TestLogDownload(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	const count = 2500
	lines := make([]*protocol.ConsoleLine, count)
	for i := range lines {
		stream := protocol.Stream_STREAM_STDOUT
		if i%2 == 1 {
			stream = protocol.Stream_STREAM_STDERR
		}
		lines[i] = &protocol.ConsoleLine{Seq: uint64(i + 1), AtUs: 1_700_000_000_000_000 + int64(i), Stream: stream, Text: fmt.Sprint("line ", i+1)}
	}
	node := d.Store.Client.Server.GetX(testkit.System(t.Context()), d.id).NodeID
	d.Must(d.Console.Ingest(testkit.System(t.Context()), node, []*protocol.ConsoleResponse{{ServerId: d.id, Lines: lines}}))
	address := func(who *accounts.Credentials, input map[string]any) string {
		url, _ := d.must(who, "createLogDownload", "url expiresAt", input)["url"].(string)
		return strings.Replace(url, "http://panel.test", d.URL, 1)
	}

	url := address(d.owner, map[string]any{})
	answer, body := d.get(url, nil)
	got := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if answer.StatusCode != http.StatusOK || len(got) != count || !strings.Contains(answer.Header.Get("Content-Disposition"), d.id+".log") {
		t.Fatalf("%s, %d lines, %v", answer.Status, len(got), answer.Header)
	}
	for i, line := range got {
		if !strings.HasSuffix(line, fmt.Sprint(" line ", i+1)) {
			t.Fatalf("line %d is %q", i+1, line)
		}
	}
	if got[1] != "2023-11-14T22:13:20.000001Z STDERR line 2" {
		t.Errorf("a line is %q", got[1])
	}
	_, body = d.get(address(d.owner, map[string]any{"streams": []any{"STDERR"}, "since": "2023-11-14T22:13:20.002Z"}), nil)
	if n := strings.Count(body, "\n"); n != 250 || strings.Contains(body, "STDOUT") {
		t.Errorf("a part of it has %d lines", n)
	}
	if _, code := d.do(d.reader, "createLogDownload", "url", map[string]any{}); code != "FORBIDDEN" {
		t.Errorf("who may read files only: %s", code)
	}
	// The address is good for a log and for nothing else, and no longer than the right.
	if answer, body := d.get(strings.Replace(url, "/files/log/", "/files/download/", 1), nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("as an address of files: %s %s", answer.Status, body)
	}
	d.Write(func(ctx context.Context, x *ent.Tx) error {
		return x.Server.UpdateOneID(d.id).SetOwnerID(d.stranger.User.ID).Exec(ctx)
	})
	if answer, body := d.get(url, nil); answer.StatusCode == http.StatusOK || strings.Contains(body, "line 1") {
		t.Errorf("after the right was lost: %s", answer.Status)
	}
}
