// Package templates owns the templates: how a kind of server is started, recognised as ready and stopped, and which
// variables it takes. It makes and changes them and checks the values that servers give their variables.
//
// Its parts without a database are packages below it: document is the form in which templates are exchanged and checked,
// egg reads those of other panels, placeholder turns a startup into something that can be run without any value ever
// becoming code, rule is the language that says what a variable may hold.
//
// Templates are read through ent; writes need template.create, template.update or template.delete. A change that
// concerns servers begins a new revision; those that exist run by the old one, which is kept for them, until their owner
// applies the change. A template that servers use cannot be deleted (CONFLICT).
package templates
