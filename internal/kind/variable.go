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

// ConfigParser is how a configuration file is read and written.
type ConfigParser string

// The values of ConfigParser.
const (
	// ConfigParserProperties is the format of Java's properties: lines of key=value.
	ConfigParserProperties ConfigParser = "PROPERTIES"
	// ConfigParserYAML is YAML.
	ConfigParserYAML ConfigParser = "YAML"
	// ConfigParserJSON is JSON.
	ConfigParserJSON ConfigParser = "JSON"
	// ConfigParserINI is lines of key=value in [sections].
	ConfigParserINI ConfigParser = "INI"
	// ConfigParserXML is XML.
	ConfigParserXML ConfigParser = "XML"
	// ConfigParserTOML is TOML.
	ConfigParserTOML ConfigParser = "TOML"
	// ConfigParserFile is any text, whose lines are replaced by what they begin with.
	ConfigParserFile ConfigParser = "FILE"
)

// Values lists every ConfigParser for the API's enum.
func (ConfigParser) Values() []string {
	return values(ConfigParserProperties, ConfigParserYAML, ConfigParserJSON, ConfigParserINI, ConfigParserXML, ConfigParserTOML,
		ConfigParserFile)
}

// MarshalGQL writes the value as a GraphQL enum.
func (p ConfigParser) MarshalGQL(w io.Writer) { marshal(w, p) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (p *ConfigParser) UnmarshalGQL(in any) error { return unmarshal(p, in, p.Values()) }
