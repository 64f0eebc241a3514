package templates

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/templaterevision"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// indifferent are the fields whose change does not concern servers that exist.
var indifferent = []string{
	"name", "slug", "description", "author", "tags", "images", "defaultImage", "architectures", "crashPolicy", "ports", "limits", "minimum",
}

// keep is how long a revision that no server runs by is kept: one that is being made may still name it.
const keep = 24 * time.Hour

// revise keeps a template as it was, for the servers that go on with it, and reports whether the next revision begins.
func (s *Service) revise(ctx context.Context, x *ent.Tx, row *ent.Template, changed []string) (bool, error) {
	if !slices.ContainsFunc(changed, func(field string) bool { return !slices.Contains(indifferent, field) }) {
		return false, nil
	}
	text, err := json.Marshal(Document(row))
	if err != nil {
		return false, fmt.Errorf("write the old template: %w", err)
	}
	if err := x.TemplateRevision.Create().SetTemplateID(row.ID).SetRevision(row.Revision).SetDocument(text).Exec(ctx); err != nil {
		return false, fmt.Errorf("keep the old template: %w", err)
	}
	unused := func(q *sql.Selector) {
		t := sql.Table(server.Table)
		q.Where(sql.NotExists(sql.Select(t.C(server.FieldID)).From(t).Where(sql.And(
			sql.ColumnsEQ(t.C(server.FieldTemplateID), q.C(templaterevision.FieldTemplateID)),
			sql.ColumnsEQ(t.C(server.FieldTemplateRevision), q.C(templaterevision.FieldRevision)),
		))))
	}
	_, err = x.TemplateRevision.Delete().Where(templaterevision.TemplateID(row.ID),
		templaterevision.ReplacedAtLT(time.Now().UTC().Add(-keep)), unused).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("forget old templates: %w", err)
	}
	return true, nil
}

// Recipes are what servers run by: their templates, as each was when the server was made or last given its changes.
type Recipes struct {
	old map[revision]document.Template
}

// revision is one of a template.
type revision struct {
	templateID string
	number     int
}

// Of returns what a server, whose template was read with it, runs by.
func (r Recipes) Of(sv *ent.Server) document.Template {
	if old, ok := r.old[revision{sv.TemplateID, sv.TemplateRevision}]; ok {
		return old
	}
	return Document(sv.Edges.Template)
}

// Outdated reports whether a server, whose template was read with it, lacks changes of that.
func Outdated(sv *ent.Server) bool { return sv.TemplateRevision != sv.Edges.Template.Revision }

// ReadRecipes reads what servers run by, whoever may see the templates. The servers must have been read with theirs.
func ReadRecipes(ctx context.Context, client *ent.Client, servers ...*ent.Server) (Recipes, error) {
	r := Recipes{old: map[revision]document.Template{}}
	wanted := map[revision]bool{}
	ids, numbers := map[string]bool{}, map[int]bool{}
	for _, sv := range servers {
		if Outdated(sv) {
			wanted[revision{sv.TemplateID, sv.TemplateRevision}] = true
			ids[sv.TemplateID], numbers[sv.TemplateRevision] = true, true
		}
	}
	if len(wanted) == 0 {
		return r, nil
	}
	rows, err := tx.Client(ctx, client).TemplateRevision.Query().
		Where(templaterevision.TemplateIDIn(slices.Collect(maps.Keys(ids))...), templaterevision.RevisionIn(slices.Collect(maps.Keys(numbers))...)).
		All(viewer.System(ctx, nil, "read what servers run by"))
	if err != nil {
		return r, fmt.Errorf("read old templates: %w", err)
	}
	for _, row := range rows {
		key := revision{row.TemplateID, row.Revision}
		if !wanted[key] {
			continue
		}
		var t document.Template
		if err := json.Unmarshal(row.Document, &t); err != nil {
			return r, fmt.Errorf("read revision %d of the template %s: %w", row.Revision, row.TemplateID, err)
		}
		r.old[key] = t
	}
	return r, nil
}
