package model

import "github.com/catalyst-panel/catalyst/internal/templates"

// UpdateTemplateInput names a template and the parts of it that change.
type UpdateTemplateInput struct {
	templates.Fields

	// ID is the template's TypeID.
	ID string
}
