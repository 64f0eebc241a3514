package kind

// Label is what a node is marked with.
type Label struct {
	// Key is the name, Value what it says.
	Key   string `json:"key"`
	Value string `json:"value"`
}
