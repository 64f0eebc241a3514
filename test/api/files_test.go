package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/test/apitest"
)

// drive is a server whose files are there, and people with their rights.
type drive struct {
	*apitest.World
	id, root        string
	owner, stranger *accounts.Credentials
	reader, writer  *accounts.Credentials
}

func newDrive(t *testing.T) *drive {
	t.Helper()
	d := &drive{World: apitest.New(t, nil)}
	admin := d.Person("ada", "*")
	d.owner, d.stranger, d.reader, d.writer = d.Person("olga"), d.Person("sam"), d.Person("rita"), d.Person("wanda")
	sv := d.Server("castle", admin)
	d.id = sv.ID
	d.Write(func(ctx context.Context, x *ent.Tx) error {
		return errors.Join(
			x.Server.UpdateOneID(sv.ID).SetOwnerID(d.owner.User.ID).Exec(ctx),
			x.Template.UpdateOneID(sv.TemplateID).SetDeniedFiles([]string{"secret.yml", "/config/tokens/*.json"}).Exec(ctx),
			x.ServerAccess.Create().SetServerID(sv.ID).SetUserID(d.reader.User.ID).SetPermissions([]string{"server.read", "file.read"}).Exec(ctx),
			x.ServerAccess.Create().SetServerID(sv.ID).SetUserID(d.writer.User.ID).SetPermissions([]string{"server.read", "file.write"}).Exec(ctx),
		)
	})
	for _, p := range []*accounts.Credentials{d.owner, d.reader, d.writer} {
		d.Accounts.Announce(t.Context(), accounts.AccessChange{UserID: p.User.ID})
	}
	d.root = d.Disk(d.id)
	return d
}

// do sends a mutation on the server and returns its payload, or the code and message of its error.
func (d *drive) do(who *accounts.Credentials, mutation, selection string, input map[string]any) (map[string]any, string) {
	d.T.Helper()
	input["serverId"] = d.id
	name := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input!"
	got := d.Post(who, fmt.Sprintf("mutation($input: %s) { %s(input: $input) { %s } }", name, mutation, selection), map[string]any{"input": input})
	payload, _ := got.Data[mutation].(map[string]any)
	return payload, got.Code()
}

// must is do that has to succeed.
func (d *drive) must(who *accounts.Credentials, mutation, selection string, input map[string]any) map[string]any {
	d.T.Helper()
	payload, code := d.do(who, mutation, selection, input)
	if code != "" {
		d.T.Fatalf("%s %v: %s", mutation, input, code)
	}
	return payload
}

// server reads something of the server.
func (d *drive) server(who *accounts.Credentials, selection string, into any) string {
	d.T.Helper()
	got := d.Post(who, "query($id: ID!) { server(id: $id) { "+selection+" } }", map[string]any{"id": d.id})
	if got.Code() == "" && into != nil {
		text, err := json.Marshal(got.Data["server"])
		d.Must(err)
		d.Must(json.Unmarshal(text, into))
	}
	return got.Code()
}

type shownFile struct {
	Name, Path, Type, Mode string
	Size                   int64
	MimeType               *string
	SymlinkTarget          *string
	ModifiedAt             string
	Text                   *string
}

const fileFields = "name path type size mode modifiedAt mimeType symlinkTarget"

func TestFileManager(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	d.must(d.owner, "createDirectory", "directory { path type }", map[string]any{"path": "/world/region"})
	written := d.must(d.owner, "writeFile", "file { "+fileFields+" }", map[string]any{"path": "server.properties", "text": "motd=hi"})
	if file, _ := written["file"].(map[string]any); file["path"] != "/server.properties" || file["mimeType"] != "text/plain" || file["mode"] != "0644" {
		t.Errorf("written: %v", written)
	}
	d.must(d.owner, "writeFile", "file { path }", map[string]any{"path": "/icons/server-icon.png", "base64": "iVBORw0KGgo="})
	if got := d.ReadFile(d.id, "icons/server-icon.png"); got != "\x89PNG\r\n\x1a\n" {
		t.Errorf("on the disk: %q", got)
	}
	d.must(d.owner, "copyFiles", "files { path }", map[string]any{"files": []any{map[string]any{"from": "icons", "to": "icons2"}}})
	d.must(d.owner, "renameFiles", "files { path }", map[string]any{"files": []any{map[string]any{"from": "/icons2/server-icon.png", "to": "world/icon.png"}}})
	d.must(d.owner, "chmodFiles", "files { mode }", map[string]any{"files": []any{map[string]any{"path": "world/icon.png", "mode": "600"}}})
	d.Must(os.Symlink("../server.properties", filepath.Join(d.root, "world", "link")))

	var sv struct {
		Files struct {
			TotalCount int
			PageInfo   struct{ HasNextPage bool }
			Edges      []struct {
				Node   shownFile
				Cursor string
			}
		}
		File        *shownFile
		Gone        *shownFile
		SearchFiles struct {
			Files     []shownFile
			Truncated bool
		}
	}
	code := d.server(d.reader, `files(path: "world", first: 2) { totalCount pageInfo { hasNextPage } edges { cursor node { `+fileFields+` } } }
		file(path: "/world/link") { `+fileFields+` text } gone: file(path: "nothing") { name }
		searchFiles(query: "ICON") { truncated files { path } }`, &sv)
	if code != "" {
		t.Fatal(code)
	}
	if sv.Files.TotalCount != 3 || !sv.Files.PageInfo.HasNextPage || len(sv.Files.Edges) != 2 || sv.Files.Edges[0].Node.Path != "/world/region" || sv.Files.Edges[1].Node.Mode != "0600" {
		t.Errorf("listed: %+v", sv.Files)
	}
	if sv.File == nil || sv.File.Text == nil || *sv.File.Text != "motd=hi" || sv.File.Type != "FILE" || sv.Gone != nil {
		t.Errorf("through a link: %+v, nothing: %+v", sv.File, sv.Gone)
	}
	if len(sv.SearchFiles.Files) != 4 || sv.SearchFiles.Truncated {
		t.Errorf("found: %+v", sv.SearchFiles)
	}
	next := fmt.Sprintf(`files(path: "world", first: 2, after: %q) { totalCount pageInfo { hasNextPage } edges { cursor node { %s } } }`, sv.Files.Edges[1].Cursor, fileFields)
	if code := d.server(d.reader, next, &sv); code != "" || len(sv.Files.Edges) != 1 || sv.Files.PageInfo.HasNextPage || *sv.Files.Edges[0].Node.SymlinkTarget != "../server.properties" {
		t.Errorf("next page: %s %+v", code, sv.Files)
	}
	gone := d.must(d.owner, "deleteFiles", "deletedPaths", map[string]any{"paths": []any{"world", "icons"}})
	if left, err := os.ReadDir(d.root); err != nil || len(left) != 2 || len(gone["deletedPaths"].([]any)) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
	d.trail(t)
}

// trail checks what the deeds of TestFileManager have left.
func (d *drive) trail(t *testing.T) {
	t.Helper()
	rows := d.Store.Client.AuditLog.Query().Where(auditlog.ServerID(d.id)).Order(auditlog.ByCreatedAt(), auditlog.ByID()).
		AllX(viewer.System(t.Context(), nil, "test"))
	var got []string
	for _, row := range rows {
		got = append(got, row.Action)
		if row.Outcome != kind.AuditOutcomeSucceeded || row.ActorName != "olga" || row.Details["paths"] == nil {
			t.Errorf("on record: %v", row)
		}
	}
	want := []string{"file.create-directory", "file.write", "file.write", "file.copy", "file.rename", "file.chmod", "file.delete"}
	if !slices.Equal(got, want) {
		t.Errorf("on record %v, want %v", got, want)
	}
}

// TestTwoEditors has two people save the same file: the second is told.
func TestTwoEditors(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	d.must(d.owner, "writeFile", "file { path }", map[string]any{"path": "ops.json", "text": "[]"})
	var sv struct{ File shownFile }
	if code := d.server(d.owner, `file(path: "ops.json") { modifiedAt text }`, &sv); code != "" {
		t.Fatal(code)
	}
	edit := func(who *accounts.Credentials, text string) string {
		_, code := d.do(who, "writeFile", "file { path }", map[string]any{"path": "ops.json", "text": text, "ifUnmodifiedSince": sv.File.ModifiedAt})
		return code
	}
	later := time.Now().Add(time.Second)
	if code := edit(d.owner, "[1]"); code != "" {
		t.Fatal(code)
	}
	d.Must(os.Chtimes(filepath.Join(d.root, "ops.json"), later, later)) // a clock's tick may be longer than the test
	if code := edit(d.writer, "[2]"); code != "CONFLICT" {
		t.Errorf("the second editor: %q", code)
	}
	if got := d.ReadFile(d.id, "ops.json"); got != "[1]" {
		t.Errorf("left: %q", got)
	}
}

// TestFileRights has everybody who should not try to work with files.
func TestFileRights(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	for _, name := range []string{"a", "secret.yml", "config/tokens/x.json", "plugins/secret.yml"} {
		d.Must(errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(d.root, name)), 0o755), os.WriteFile(filepath.Join(d.root, name), []byte("mine"), 0o600)))
	}
	pair := func(from, to string) map[string]any {
		return map[string]any{"files": []any{map[string]any{"from": from, "to": to}}}
	}
	for _, test := range []struct {
		who                          *accounts.Credentials
		mutation, selection, outcome string
		input                        map[string]any
	}{
		{d.stranger, "writeFile", "file { path }", "NOT_FOUND", map[string]any{"path": "a", "text": "x"}},
		{d.reader, "writeFile", "file { path }", "FORBIDDEN", map[string]any{"path": "a", "text": "x"}},
		{d.writer, "deleteFiles", "deletedPaths", "FORBIDDEN", map[string]any{"paths": []any{"a"}}},
		{d.owner, "writeFile", "file { path }", "FORBIDDEN", map[string]any{"path": "//plugins/./secret.yml", "text": "x"}},
		{d.owner, "renameFiles", "files { path }", "FORBIDDEN", pair("secret.yml", "open.yml")},
		{d.owner, "renameFiles", "files { path }", "FORBIDDEN", pair("a", "secret.yml")},
		{d.owner, "renameFiles", "files { path }", "FORBIDDEN", pair("config", "c")},
		{d.owner, "copyFiles", "files { path }", "FORBIDDEN", pair("config/tokens", "t")},
		{d.owner, "deleteFiles", "deletedPaths", "FORBIDDEN", map[string]any{"paths": []any{"config/tokens/x.json"}}},
		{d.owner, "chmodFiles", "files { path }", "FORBIDDEN", map[string]any{"files": []any{map[string]any{"path": "secret.yml", "mode": "0666"}}}},
		{d.owner, "writeFile", "file { path }", "BAD_USER_INPUT", map[string]any{"path": "../x", "text": "x"}},
		{d.owner, "writeFile", "file { path }", "BAD_USER_INPUT", map[string]any{"path": "x"}},
		{d.owner, "writeFile", "file { path }", "BAD_USER_INPUT", map[string]any{"path": "x", "base64": "!"}},
		{d.owner, "chmodFiles", "files { path }", "BAD_USER_INPUT", map[string]any{"files": []any{map[string]any{"path": "a", "mode": "4755"}}}},
		{d.owner, "deleteFiles", "deletedPaths", "BAD_USER_INPUT", map[string]any{"paths": []any{}}},
		{d.owner, "deleteFiles", "deletedPaths", "BAD_USER_INPUT", map[string]any{"paths": []any{"/"}}},
		{d.owner, "deleteFiles", "deletedPaths", "NOT_FOUND", map[string]any{"paths": []any{"nothing"}}},
		{d.owner, "createDirectory", "directory { path }", "CONFLICT", map[string]any{"path": "a"}},
	} {
		if _, code := d.do(test.who, test.mutation, test.selection, test.input); code != test.outcome {
			t.Errorf("%s %v: %q, want %s", test.mutation, test.input, code, test.outcome)
		}
	}
	for _, name := range []string{"a", "secret.yml", "config/tokens/x.json", "plugins/secret.yml"} {
		if got := d.ReadFile(d.id, name); got != "mine" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for selection, want := range map[string]string{
		`files { totalCount }`: "FORBIDDEN", `file(path: "a") { text }`: "FORBIDDEN", `searchFiles(query: "a") { truncated }`: "FORBIDDEN",
	} {
		if code := d.server(d.writer, selection, nil); code != want {
			t.Errorf("%s by who may not read: %q", selection, code)
		}
	}
	for selection, want := range map[string]string{
		`files(first: 101) { totalCount }`: "BAD_USER_INPUT", `files(after: "x") { totalCount }`: "BAD_USER_INPUT",
		`files(path: "a") { totalCount }`: "BAD_USER_INPUT", `files(path: "no") { totalCount }`: "NOT_FOUND",
		`file(path: "secret.yml") { name text }`: "FORBIDDEN", `file(path: "a") { text(maxBytes: 3) }`: "BAD_USER_INPUT",
		`file(path: "config") { text }`: "BAD_USER_INPUT", `searchFiles(query: "") { truncated }`: "BAD_USER_INPUT",
	} {
		if code := d.server(d.owner, selection, nil); code != want {
			t.Errorf("%s: %q, want %s", selection, code, want)
		}
	}
	d.Write(func(ctx context.Context, x *ent.Tx) error {
		return x.Server.UpdateOneID(d.id).SetSuspended(true).Exec(ctx)
	})
	if _, code := d.do(d.owner, "writeFile", "file { path }", map[string]any{"path": "a", "text": "x"}); code != "CONFLICT" {
		t.Errorf("while suspended: %q", code)
	}
}

// TestNamesThatAreNoText shows names that are no UTF-8, and understands them when they come back.
func TestNamesThatAreNoText(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	names := []string{"caf\xe9.txt", "\uEFE9", "new\nline", "\xff\xfe"}
	for _, name := range names {
		d.Must(os.WriteFile(filepath.Join(d.root, name), []byte(name), 0o600))
	}
	var sv struct {
		Files struct{ Edges []struct{ Node shownFile } }
	}
	if code := d.server(d.owner, `files { edges { node { path } } }`, &sv); code != "" || len(sv.Files.Edges) != len(names) {
		t.Fatal(code, sv)
	}
	for _, e := range sv.Files.Edges {
		d.must(d.owner, "deleteFiles", "deletedPaths", map[string]any{"paths": []any{e.Node.Path}})
	}
	if left, err := os.ReadDir(d.root); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
