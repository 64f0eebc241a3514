package guard

// Limits says how much one operation may ask for.
type Limits struct {
	// Bytes is the length of the document.
	Bytes int
	// Tokens is the number of tokens in the document.
	Tokens int
	// Selections is the number of fields, spreads and inline fragments as they are written.
	Selections int
	// Expanded is the number of selections when every spread is replaced by its fragment.
	Expanded int
	// Operations and Fragments are the numbers of definitions in the document.
	Operations, Fragments int
	// Aliases is the number of fields under another name.
	Aliases int
	// Directives is the number of directives in the document.
	Directives int
	// RootFields is the number of fields of an operation's root.
	RootFields int
	// Depth is how deep fields nest; IntrospectionDepth is the same below __schema and __type.
	Depth, IntrospectionDepth int
	// Page is the largest page of a connection, DefaultPage the one that is not asked for.
	Page, DefaultPage int
	// IDs is the number of identifiers in a list argument such as that of nodes.
	IDs int
	// FilterDepth and FilterSize bound a filter: how deep it nests and how many conditions and values it has.
	FilterDepth, FilterSize int
	// Cost is the cost of an operation; IntrospectionCost is the same below __schema and __type.
	Cost, IntrospectionCost int
	// Budget is what one user's operations may cost together in a minute.
	Budget int
}

// Default returns the limits that the panel runs with.
func Default() Limits {
	return Limits{
		Bytes: 64 << 10, Tokens: 5000, Selections: 1000, Expanded: 5000, Operations: 20, Fragments: 50, Aliases: 50,
		Directives: 50, RootFields: 20, Depth: 12, IntrospectionDepth: 20,
		Page: 100, DefaultPage: 25, IDs: 50, FilterDepth: 5, FilterSize: 100,
		Cost: 10_000, IntrospectionCost: 1_000_000, Budget: 100_000,
	}
}
