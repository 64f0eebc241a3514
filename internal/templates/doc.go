// Package templates owns the templates: how a kind of server is started, recognised as ready and stopped, and which
// variables it takes. It makes and changes them, checks the values that servers give their variables, and turns a
// template's startup into something that can be run without any value ever becoming code.
//
// Templates are read through ent; writes need template.create, template.update or template.delete. Changing a template
// changes its servers at their next start. A template that servers use cannot be deleted (CONFLICT).
package templates
