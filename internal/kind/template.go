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

// TemplateCommand is one of several named ways to start a server: a shell line, or a program and its arguments.
type TemplateCommand struct {
	// Name is what people choose by.
	Name string `json:"name"`
	// Shell is a line with {{KEY}} placeholders, used when Argv is empty.
	Shell string   `json:"shell,omitempty"`
	Argv  []string `json:"argv,omitempty"`
}

// ConfigFile is a file of a server that is rewritten before each start.
type ConfigFile struct {
	// Path is relative to the server's directory.
	Path string `json:"path"`
	// Parser is how the file is read and written.
	Parser ConfigParser `json:"parser"`
	// Replace are the changes, in order.
	Replace []ConfigReplacement `json:"replace"`
}

// ConfigReplacement is one change of a configuration file.
type ConfigReplacement struct {
	// Match is what is changed: a key or a dotted path in which * is every element, or, under the parser FILE, the
	// beginning of a line.
	Match string `json:"match"`
	// If is the value that must stand there for the change to happen, or "regex:" and a pattern (RE2) whose matches are
	// replaced; empty for any value.
	If string `json:"if,omitempty"`
	// Value is the new value, with {{KEY}} placeholders.
	Value string `json:"value"`
}

// TemplateLimits are resources that a template names. Memory and Disk are bytes, CPU is percent of one core; 0 says
// nothing.
type TemplateLimits struct {
	Memory int64 `json:"memory,omitempty"`
	CPU    int   `json:"cpu,omitempty"`
	Disk   int64 `json:"disk,omitempty"`
}

// BackupHooks are lines that are sent to a running server's console around a backup.
type BackupHooks struct {
	// Before are sent before the files are read, After when they have been, whether that succeeded or not.
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
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
