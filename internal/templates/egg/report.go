package egg

import (
	"fmt"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Outcome is what became of a field of an egg.
type Outcome = kind.ImportOutcome

// The values of Outcome, by shorter names.
const (
	Understood   = kind.ImportOutcomeUnderstood
	Approximated = kind.ImportOutcomeApproximated
	Ignored      = kind.ImportOutcomeIgnored
	Unknown      = kind.ImportOutcomeUnknown
)

// Entry is what became of one field.
type Entry struct {
	// Field is its path in the egg, such as variables[2].rules.
	Field   string  `json:"field"`
	Outcome Outcome `json:"outcome"`
	// Message says more where there is more to say.
	Message string `json:"message,omitempty"`
}

// Report is what became of an egg's fields, in their order.
type Report struct {
	// Format is the version of the egg, such as PTDL_v2.
	Format  string  `json:"format"`
	Entries []Entry `json:"entries"`
}

// Count returns how many fields had an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for _, e := range r.Entries {
		if e.Outcome == o {
			n++
		}
	}
	return n
}

func (r *Report) add(field string, o Outcome, message string, args ...any) {
	if len(args) > 0 {
		message = fmt.Sprintf(message, args...)
	}
	r.Entries = append(r.Entries, Entry{Field: field, Outcome: o, Message: message})
}

func (r *Report) understood(field string) { r.add(field, Understood, "") }

func (r *Report) approximated(field, message string, args ...any) {
	r.add(field, Approximated, message, args...)
}

func (r *Report) ignored(field, message string, args ...any) { r.add(field, Ignored, message, args...) }
