package templates

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxRedirects is how often a document may be said to be elsewhere.
const maxRedirects = 5

// Read reads a template in any format that is known, and says what became of its fields.
func Read(text []byte) (document.Template, egg.Report, error) {
	n, err := tree.Read(text)
	if err != nil {
		return document.Template{}, egg.Report{}, err
	}
	if egg.Is(n) {
		return egg.FromTree(n)
	}
	t, err := document.FromTree(n)
	report := egg.Report{Format: document.Format, Entries: []egg.Entry{}}
	for _, key := range n.Keys {
		report.Entries = append(report.Entries, egg.Entry{Field: key, Outcome: egg.Understood})
	}
	return t, report, err
}

// Import makes a template of a document: our own format or an egg, YAML or JSON. It is always a new one. It needs
// template.create and fails with BAD_USER_INPUT that says what is wrong.
func (s *Service) Import(ctx context.Context, text string) (*ent.Template, egg.Report, error) {
	e := deed("template.import", "")
	if err := access.Check(ctx, s.Client, access.TemplateCreate, access.Anywhere); err != nil {
		return nil, egg.Report{}, s.trail.Refused(ctx, e, err)
	}
	t, report, err := Read([]byte(text))
	if err != nil {
		return nil, egg.Report{}, fault.Input("document", "The template cannot be imported: %s.", err)
	}
	if t.Slug != "" {
		taken, err := s.Client.Template.Query().Where(template.Slug(t.Slug)).Exist(viewer.System(ctx, nil, "look for a slug"))
		if err != nil {
			return nil, egg.Report{}, fmt.Errorf("look for a slug: %w", err)
		}
		if taken {
			report.Entries = append(report.Entries, egg.Entry{
				Field: "slug", Outcome: egg.Ignored, Message: "Another template has it already.",
			})
			t.Slug = ""
		}
	}
	row, err := s.make(ctx, e, t, false)
	return row, report, err
}

// ImportURL fetches a document and imports it. It needs what Import needs, and reaches public addresses only.
func (s *Service) ImportURL(ctx context.Context, url string) (*ent.Template, egg.Report, error) {
	if err := access.Check(ctx, s.Client, access.TemplateCreate, access.Anywhere); err != nil {
		return nil, egg.Report{}, s.trail.Refused(ctx, deed("template.import", ""), err)
	}
	text, err := s.fetch(ctx, url)
	if err != nil {
		return nil, egg.Report{}, err
	}
	return s.Import(ctx, text)
}

// fetch reads a document from where a person says that it is. Every address on the way is checked when it is dialled.
func (s *Service) fetch(ctx context.Context, url string) (text string, err error) {
	if _, err := egress.CheckURL(url); err != nil {
		return "", fault.Input("url", "This cannot be fetched: %s.", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fault.Input("url", "This is no URL.").Wrap(err)
	}
	client := *s.HTTP
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("there are too many redirects")
		}
		_, err := egress.CheckURL(next.URL.String())
		return err
	}
	res, err := client.Do(req)
	switch {
	case errors.Is(err, egress.ErrForbidden):
		return "", fault.Input("url", "The address is not a public one: give the document itself to importTemplate.").Wrap(err)
	case err != nil: // what was met there is not told: it may be somebody's inner network
		return "", fault.Input("url", "The document could not be fetched: see whether the address can be reached.").Wrap(err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return "", fault.Input("url", "The document could not be fetched: the answer was %d.", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, tree.MaxBytes+1))
	if err != nil {
		return "", fault.Input("url", "The document could not be read to its end: try again.").Wrap(err)
	}
	return string(body), nil
}

// ExportInput names a template and a form.
type ExportInput struct {
	ID     string
	Format kind.TemplateFormat
}

// Export writes a template as a document; lost are the parts that the form has no place for. It needs template.read.
func (s *Service) Export(ctx context.Context, in ExportInput) (text string, lost []string, err error) {
	if err := access.Check(ctx, s.Client, access.TemplateRead, access.On(in.ID)); err != nil {
		return "", nil, err
	}
	row, err := s.Client.Template.Query().Where(template.ID(in.ID)).Only(viewer.System(ctx, nil, "read a template that is exported"))
	if ent.IsNotFound(err) {
		return "", nil, fault.Missing("template")
	}
	if err != nil {
		return "", nil, fmt.Errorf("read template: %w", err)
	}
	lost = []string{}
	var written []byte
	switch t := Document(row); in.Format {
	case kind.TemplateFormatJSON:
		written, err = t.JSON()
	case kind.TemplateFormatEgg:
		written, lost, err = egg.Export(t, time.Now())
	default:
		written, err = t.YAML()
	}
	return string(written), lost, err
}
