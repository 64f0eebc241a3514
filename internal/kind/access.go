package kind

import "io"

// AuditOutcome is how an audited action ended.
type AuditOutcome string

// The values of AuditOutcome.
const (
	AuditOutcomeSucceeded AuditOutcome = "SUCCEEDED"
	AuditOutcomeRefused   AuditOutcome = "REFUSED"
	AuditOutcomeFailed    AuditOutcome = "FAILED"
)

// Values lists every AuditOutcome for the database's and the API's enum.
func (AuditOutcome) Values() []string {
	return values(AuditOutcomeSucceeded, AuditOutcomeRefused, AuditOutcomeFailed)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v AuditOutcome) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *AuditOutcome) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }
