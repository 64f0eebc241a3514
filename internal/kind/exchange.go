package kind

import "io"

// ImportOutcome is what became of a field of an imported template.
type ImportOutcome string

// The values of ImportOutcome.
const (
	// ImportOutcomeUnderstood fields mean here what they meant there.
	ImportOutcomeUnderstood ImportOutcome = "UNDERSTOOD"
	// ImportOutcomeApproximated fields work a little differently.
	ImportOutcomeApproximated ImportOutcome = "APPROXIMATED"
	// ImportOutcomeIgnored fields have no meaning here.
	ImportOutcomeIgnored ImportOutcome = "IGNORED"
	// ImportOutcomeUnknown fields belong to no version of the format.
	ImportOutcomeUnknown ImportOutcome = "UNKNOWN"
)

// Values lists every ImportOutcome for the API's enum.
func (ImportOutcome) Values() []string {
	return values(ImportOutcomeUnderstood, ImportOutcomeApproximated, ImportOutcomeIgnored, ImportOutcomeUnknown)
}

// MarshalGQL writes the value as a GraphQL enum.
func (o ImportOutcome) MarshalGQL(w io.Writer) { marshal(w, o) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (o *ImportOutcome) UnmarshalGQL(in any) error { return unmarshal(o, in, o.Values()) }

// TemplateFormat is the form in which a template is exported.
type TemplateFormat string

// The values of TemplateFormat.
const (
	// TemplateFormatYAML is Catalyst's own format, as YAML.
	TemplateFormatYAML TemplateFormat = "YAML"
	// TemplateFormatJSON is Catalyst's own format, as JSON.
	TemplateFormatJSON TemplateFormat = "JSON"
	// TemplateFormatEgg is an egg of the format PTDL_v2.
	TemplateFormatEgg TemplateFormat = "EGG"
)

// Values lists every TemplateFormat for the API's enum.
func (TemplateFormat) Values() []string {
	return values(TemplateFormatYAML, TemplateFormatJSON, TemplateFormatEgg)
}

// MarshalGQL writes the value as a GraphQL enum.
func (f TemplateFormat) MarshalGQL(w io.Writer) { marshal(w, f) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (f *TemplateFormat) UnmarshalGQL(in any) error { return unmarshal(f, in, f.Values()) }
