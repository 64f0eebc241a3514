package kind

// EnvVar is one entry of a server's environment: a template variable and its value.
type EnvVar struct {
	// Key is the variable's name, "SERVER_PORT".
	Key string `json:"key"`
	// Value is the text; it is never evaluated.
	Value string `json:"value"`
}
