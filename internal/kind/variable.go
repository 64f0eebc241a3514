package kind

import "io"

// VariableType is how the value of a template's variable is read.
type VariableType string

// The values of VariableType.
const (
	// VariableTypeString is any text.
	VariableTypeString VariableType = "STRING"
	// VariableTypeInteger is a whole number.
	VariableTypeInteger VariableType = "INTEGER"
	// VariableTypeNumber is a number.
	VariableTypeNumber VariableType = "NUMBER"
	// VariableTypeBoolean is true or false, 1 or 0.
	VariableTypeBoolean VariableType = "BOOLEAN"
	// VariableTypeEnum is one of the values that an "in" rule names.
	VariableTypeEnum VariableType = "ENUM"
)

// Values lists every VariableType for the database's and the API's enum.
func (VariableType) Values() []string {
	return values(VariableTypeString, VariableTypeInteger, VariableTypeNumber, VariableTypeBoolean, VariableTypeEnum)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v VariableType) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *VariableType) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }
