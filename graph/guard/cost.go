package guard

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/graph/scalar"
)

const (
	// ceiling is where costs stop growing.
	ceiling = 1 << 40
	// mutationCost is the cost of a mutation itself.
	mutationCost = 10
	// entityList is how many entities a list that is no connection is taken to have.
	entityList = 10
)

// introspectionSizes are about how many elements the lists of the introspection have.
var introspectionSizes = map[string]int{
	"types": 400, "directives": 8, "fields": 12, "args": 3, "inputFields": 30, "enumValues": 8, "possibleTypes": 4,
}

// weights are what fields cost apart from what is in them, where that is more than one: those that read much to answer
// little.
var weights = map[string]int{
	"metrics": 50, "stats": 2, "executeCommand": 20, "file": 5, "searchFiles": 50, "archive": 50,
}

// CostOf returns what an operation may cost at most: each object costs 1, values inside of it nothing, and everything in
// a list is counted for each element that the list can have. It takes the default page for connections that ask for no
// number of results.
func (l Limits) CostOf(o Operation) (cost, introspection int) {
	c := costs{limits: l, op: o, fragments: map[string]int{}}
	for _, f := range o.rootFields() {
		if introspects(f) {
			introspection = min(introspection+c.introspection(f, map[string]bool{}), ceiling)
			cost++
			continue
		}
		cost = min(cost+c.field(f), ceiling)
		if o.Definition.Operation == ast.Mutation {
			cost += mutationCost
		}
	}
	return cost, introspection
}

// rootFields returns the fields of the root, fragments expanded. The census has bounded their number, not that of the
// spreads that lead nowhere, which is why each fragment is entered as often as it has fields only.
func (o Operation) rootFields() []*ast.Field {
	known := map[string][]*ast.Field{}
	var collect func(ast.SelectionSet) []*ast.Field
	collect = func(set ast.SelectionSet) []*ast.Field {
		var out []*ast.Field
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				out = append(out, sel)
			case *ast.InlineFragment:
				out = append(out, collect(sel.SelectionSet)...)
			case *ast.FragmentSpread:
				fields, ok := known[sel.Name]
				if f := o.Fragments.ForName(sel.Name); !ok && f != nil {
					fields = collect(f.SelectionSet)
					known[sel.Name] = fields
				}
				out = append(out, fields...)
			}
		}
		return out
	}
	return collect(o.Definition.SelectionSet)
}

// costs adds up one operation. A fragment costs the same wherever it is spread.
type costs struct {
	limits    Limits
	op        Operation
	fragments map[string]int
}

func (c *costs) set(set ast.SelectionSet) int {
	sum := 0
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			sum += c.field(sel)
		case *ast.InlineFragment:
			sum += c.set(sel.SelectionSet)
		case *ast.FragmentSpread:
			sum += c.fragment(sel.Name)
		}
		sum = min(sum, ceiling)
	}
	return sum
}

func (c *costs) fragment(name string) int {
	cost, ok := c.fragments[name]
	if f := c.op.Fragments.ForName(name); !ok && f != nil {
		cost = c.set(f.SelectionSet)
		c.fragments[name] = cost
	}
	return cost
}

func (c *costs) field(f *ast.Field) int {
	if f.Definition == nil || len(f.SelectionSet) == 0 {
		return 0
	}
	below := c.set(f.SelectionSet)
	switch {
	case connection(f):
		return 1 + min(c.page(f)*below, ceiling)
	case f.Name == "edges", f.Name == "pageInfo":
		return below
	}
	return min(c.elements(f)*(max(1, weights[f.Name])+below), ceiling)
}

// page returns how many results a connection can have.
func (c *costs) page(f *ast.Field) int {
	for _, name := range []string{"first", "last"} {
		if v := argument(f, name, c.op.Variables); v != nil {
			if n, err := scalar.UnmarshalInt(v); err == nil {
				return max(n, 1)
			}
		}
	}
	return c.limits.DefaultPage
}

// elements returns how many objects a field has: as many as identifiers are asked for, some when it is a list of
// entities, and one otherwise. A list of values that are stored together costs as much as one.
func (c *costs) elements(f *ast.Field) int {
	if f.Definition.Type.Elem == nil {
		return 1
	}
	if ids, ok := argument(f, "ids", c.op.Variables).([]any); ok {
		return max(len(ids), 1)
	}
	def := c.op.Schema.Types[f.Definition.Type.Name()]
	if def != nil && def.Fields.ForName("createdAt") != nil {
		return entityList
	}
	return 1
}

// introspection counts the same for the introspection, whose lists do not say how long they are. A list inside itself
// (the fields of the types of fields) is taken to have everything.
func (c *costs) introspection(f *ast.Field, inside map[string]bool) int {
	size, list := introspectionSizes[f.Name]
	if !list {
		size = 1
	}
	if list && inside[f.Name] {
		size = introspectionSizes["types"]
	}
	outer := inside[f.Name]
	inside[f.Name] = inside[f.Name] || list
	below := c.introspectionSet(f.SelectionSet, inside)
	inside[f.Name] = outer
	return min(size*(1+below), ceiling)
}

func (c *costs) introspectionSet(set ast.SelectionSet, inside map[string]bool) int {
	sum := 0
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if len(sel.SelectionSet) > 0 {
				sum += c.introspection(sel, inside)
			}
		case *ast.InlineFragment:
			sum += c.introspectionSet(sel.SelectionSet, inside)
		case *ast.FragmentSpread:
			if f := c.op.Fragments.ForName(sel.Name); f != nil {
				sum += c.introspectionSet(f.SelectionSet, inside)
			}
		}
		sum = min(sum, ceiling)
	}
	return sum
}
