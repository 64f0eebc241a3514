// Package document is Catalyst's own format of templates: how they are exported, kept in files and read again. It is YAML
// or JSON; docs/template.schema.json describes it.
//
// Parse and Validate name the field that is wrong. What they let through can be stored and run: rules and patterns
// compile, variables have keys that a shell knows, files stay within the server's directory.
package document
