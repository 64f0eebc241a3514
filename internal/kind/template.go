package kind

// TemplateVariable is one variable of a template: what a server's environment may or must hold.
type TemplateVariable struct {
	// Name is what people read, Key the name of the environment variable.
	Name string `json:"name"`
	Key  string `json:"key"`
	// Description says what the variable does.
	Description string `json:"description,omitempty"`
	// Type is how a value is read and asked for.
	Type VariableType `json:"type"`
	// Default is the value of a server that gives none.
	Default string `json:"default"`
	// Rules are the checks a value must pass, in order ("required", "max:20", "in:a,b").
	Rules []string `json:"rules,omitempty"`
	// UserViewable and UserEditable say whether a server's owner sees and sets the value.
	UserViewable bool `json:"userViewable"`
	UserEditable bool `json:"userEditable"`
	// Secret values are masked in consoles and never shown again.
	Secret bool `json:"secret,omitempty"`
}

// TemplateImage is one image that a server of a template may run in.
type TemplateImage struct {
	// Label is what people read, Image the reference of the image.
	Label string `json:"label"`
	Image string `json:"image"`
}

// TaskStep is one action of a scheduled task.
type TaskStep struct {
	// Action is what is done; Payload is the command or the backup's name.
	Action  TaskAction `json:"action"`
	Payload string     `json:"payload,omitempty"`
	// Delay is how many seconds after the step before it this one begins.
	Delay int `json:"delay,omitempty"`
	// ContinueOnFailure goes on with the next step when this one fails.
	ContinueOnFailure bool `json:"continueOnFailure,omitempty"`
}

// TaskStepResult is how one step of a run ended.
type TaskStepResult struct {
	// Step counts from zero.
	Step   int        `json:"step"`
	Action TaskAction `json:"action"`
	// State is how the step ended; Message says why when it did not succeed.
	State   TaskRunState `json:"state"`
	Message string       `json:"message,omitempty"`
	// StartedAt and FinishedAt are RFC 3339 times in UTC.
	StartedAt  string `json:"startedAt,omitempty"`
	FinishedAt string `json:"finishedAt,omitempty"`
}
