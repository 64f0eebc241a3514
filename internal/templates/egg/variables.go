package egg

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

// sorted is a variable and where the egg wants it.
type sorted struct {
	kind.TemplateVariable

	sort int
}

func (i *importer) variables(n *tree.Node) {
	var all []sorted
	seen := map[string]bool{}
	for at, item := range n.ListItems() {
		field := fmt.Sprintf("variables[%d]", at)
		v, ok := i.variable(field, item)
		if !ok {
			continue
		}
		if seen[v.Key] {
			i.report.ignored(field, "The variable %s stands there twice.", v.Key)
			continue
		}
		seen[v.Key], i.fields[v.Key] = true, field
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b sorted) int { return cmp.Compare(a.sort, b.sort) })
	for _, v := range all {
		i.template.Variables = append(i.template.Variables, v.TemplateVariable)
	}
}

// variable reads one; ok is false when it cannot be had here.
func (i *importer) variable(field string, n *tree.Node) (sorted, bool) {
	v := sorted{TemplateVariable: kind.TemplateVariable{Type: kind.VariableTypeString}}
	for at, key := range n.Keys {
		i.variableField(&v, field+"."+key, key, n.Items[at])
	}
	if v.Name == "" {
		v.Name, _ = shorten(v.Key, 128)
	}
	if document.Guarded(v.Key) && v.UserEditable {
		v.UserEditable = false
		i.report.approximated(field+".user_editable", "%s decides which programs and libraries are loaded: only administrators set it.", v.Key)
	}
	v.Type = rule.TypeOf(v.Rules)
	i.checkDefault(field, &v)
	if err := document.CheckVariable(field, v.TemplateVariable); err != nil {
		problem := err.Error()
		if wrong, ok := errors.AsType[*document.FieldError](err); ok {
			problem = wrong.Problem
		}
		i.report.ignored(field, "The variable is left out: it %s.", problem)
		return v, false
	}
	return v, true
}

func (i *importer) variableField(v *sorted, field, key string, n *tree.Node) {
	switch key {
	case "name":
		v.Name = i.line(field, n, 128)
	case "description":
		v.Description = i.text(field, n, 8<<10)
	case "env_variable":
		v.Key = strings.TrimSpace(n.String())
		i.report.understood(field)
	case "default_value":
		v.Default = i.text(field, n, rule.MaxValueBytes)
	case "user_viewable":
		v.UserViewable = truth(n)
		i.report.understood(field)
	case "user_editable":
		v.UserEditable = truth(n)
		i.report.understood(field)
	case "rules":
		v.Rules = i.rules(field, n)
	case "sort":
		v.sort, _ = strconv.Atoi(n.String()) // nothing sorts before everything
		i.report.understood(field)
	case "field_type":
		i.report.ignored(field, "How a value is asked for follows from its rules.")
	default:
		i.report.add(field, Unknown, "No version of the format has this field.")
	}
}

func truth(n *tree.Node) bool { return n.String() == "true" || n.String() == "1" }

// rules are a list, or a text divided by bars. Those that are not known or not RE2 are left out.
func (i *importer) rules(field string, n *tree.Node) []string {
	var given []string
	if n.Kind == tree.List || n.Kind == tree.Map {
		for _, item := range n.Items {
			if r := strings.TrimSpace(item.String()); r != "" {
				given = append(given, r)
			}
		}
	} else {
		given = rule.Split(n.String())
	}
	var rules []string
	for _, r := range given {
		if _, err := rule.Compile(kind.VariableTypeString, []string{r}); err != nil {
			i.report.approximated(field, "A rule is left out: the variable %s.", err)
			continue
		}
		rules = append(rules, r)
	}
	i.report.understood(field)
	return rules
}

// checkDefault leaves out a default that the egg's own rules refuse: whoever makes a server names a value.
func (i *importer) checkDefault(field string, v *sorted) {
	set, err := rule.Compile(v.Type, v.Rules)
	if err != nil || v.Default == "" {
		return
	}
	if err := set.Check(v.Default); err != nil {
		i.report.approximated(field+".default_value", "The default %q is left out, since it %s.", rule.Printable(v.Default), err)
		v.Default = ""
	}
}
