package kind

import "io"

// Operation is what happened to an entity.
type Operation string

// The values of Operation.
const (
	OperationCreated Operation = "CREATED"
	OperationUpdated Operation = "UPDATED"
	OperationDeleted Operation = "DELETED"
)

// Values lists every Operation for the database's and the API's enum.
func (Operation) Values() []string {
	return values(OperationCreated, OperationUpdated, OperationDeleted)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v Operation) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *Operation) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }
