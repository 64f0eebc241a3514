package document

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
)

// FieldError is that a field of a template is wrong.
type FieldError struct {
	// Field is the path of the field, such as variables[2].rules.
	Field string
	// Problem is the end of a sentence that begins with the field.
	Problem string
}

// Error is the whole sentence.
func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// The longest of what a template holds, in bytes or elements.
const (
	maxName        = 128
	maxAuthor      = 255
	maxDescription = 8 << 10
	maxImage       = 512
	maxStartup     = 32 << 10
	maxScript      = 256 << 10
	maxLine        = 1 << 10
	maxPattern     = 1 << 10
	maxValue       = 8 << 10
	maxList        = 128
	maxReplace     = 512
)

// slug is what a slug looks like.
var slug = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?$`)

// word is what a feature or a tag looks like.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,63}$`)

// Signals are those that may stop a server.
var Signals = []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGABRT", "SIGKILL"}

// architectures are those that agents run on.
var architectures = []string{"amd64", "arm64"}

// wrong makes the error of a field.
func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// Validate returns a *FieldError for the first field that could never work.
func (t Template) Validate() error {
	for _, check := range []func() error{
		t.checkTexts, t.checkImages, t.checkStartup, t.checkVariables, t.checkInstall, t.checkLife, t.checkConfigFiles,
		t.checkLists, t.checkNumbers,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// longText refuses what is too long or cannot be stored.
func longText(field, value string, limit int) error {
	switch {
	case len(value) > limit:
		return wrong(field, "is longer than %d bytes", limit)
	case strings.ContainsRune(value, 0):
		return wrong(field, "holds a NUL byte")
	}
	return nil
}

// line refuses what is not one line of printable text.
func line(field, value string, limit int) error {
	if strings.ContainsAny(value, "\r\n\x1b") {
		return wrong(field, "must be one line")
	}
	return longText(field, value, limit)
}

// Word reports whether a text can be a feature or a tag.
func Word(s string) bool { return word.MatchString(s) }

// ImageReference reports whether a text can be the reference of an image.
func ImageReference(s string) bool { return s != "" && checkImage("", s) == nil }

func (t Template) checkTexts() error {
	if strings.TrimSpace(t.Name) == "" {
		return wrong("name", "is missing")
	}
	if t.Slug != "" && !slug.MatchString(t.Slug) {
		return wrong("slug", "must consist of small letters, digits and single dashes, 128 at the most")
	}
	for _, err := range []error{
		line("name", t.Name, maxName), line("author", t.Author, maxAuthor), longText("description", t.Description, maxDescription),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkImage refuses what can be no reference of an image.
func checkImage(field, image string) error {
	if strings.ContainsAny(image, " \t\r\n\x00\"'`$\\") {
		return wrong(field, "is no reference of an image")
	}
	return longText(field, image, maxImage)
}

func (t Template) checkImages() error {
	if len(t.Images) > maxList {
		return wrong("images", "has more than %d elements", maxList)
	}
	for i, image := range t.Images {
		field := fmt.Sprintf("images[%d]", i)
		if image.Image == "" {
			return wrong(field+".image", "is missing")
		}
		if err := checkImage(field+".image", image.Image); err != nil {
			return err
		}
		if err := line(field+".label", image.Label, maxName); err != nil {
			return err
		}
	}
	for _, a := range t.Architectures {
		if !slices.Contains(architectures, a) {
			return wrong("architectures", "may hold %s", strings.Join(architectures, " and "))
		}
	}
	return checkImage("defaultImage", t.DefaultImage)
}

func (t Template) checkStartup() error {
	if strings.TrimSpace(t.Startup.Shell) == "" && len(t.Startup.Argv) == 0 {
		return wrong("startup", "is missing: give a shell line in shell, or a program and its arguments in argv")
	}
	if t.Startup.ImageEntrypoint && len(t.Startup.Argv) > 0 {
		return wrong("startup.argv", "cannot be used with imageEntrypoint, which takes a shell line")
	}
	if err := checkCommand("startup", t.Startup.Shell, t.Startup.Argv); err != nil {
		return err
	}
	if len(t.Startup.Commands) > maxList {
		return wrong("startup.commands", "has more than %d elements", maxList)
	}
	names := map[string]bool{}
	for i, c := range t.Startup.Commands {
		field := fmt.Sprintf("startup.commands[%d]", i)
		switch {
		case strings.TrimSpace(c.Name) == "":
			return wrong(field+".name", "is missing")
		case names[c.Name]:
			return wrong(field+".name", "stands there twice")
		case strings.TrimSpace(c.Shell) == "" && len(c.Argv) == 0:
			return wrong(field, "says neither shell nor argv")
		case t.Startup.ImageEntrypoint && len(c.Argv) > 0:
			return wrong(field+".argv", "cannot be used with imageEntrypoint, which takes a shell line")
		}
		names[c.Name] = true
		if err := line(field+".name", c.Name, maxName); err != nil {
			return err
		}
		if err := checkCommand(field, c.Shell, c.Argv); err != nil {
			return err
		}
	}
	return nil
}

func checkCommand(field, shell string, argv []string) error {
	if err := longText(field+".shell", shell, maxStartup); err != nil {
		return err
	}
	if len(argv) > maxReplace {
		return wrong(field+".argv", "has more than %d elements", maxReplace)
	}
	for i, arg := range argv {
		if err := longText(fmt.Sprintf("%s.argv[%d]", field, i), arg, maxValue); err != nil {
			return err
		}
	}
	if len(argv) > 0 && argv[0] == "" {
		return wrong(field+".argv[0]", "names no program")
	}
	return nil
}

func (t Template) checkVariables() error {
	if len(t.Variables) > maxList {
		return wrong("variables", "has more than %d elements", maxList)
	}
	seen := map[string]bool{}
	for i, v := range t.Variables {
		field := fmt.Sprintf("variables[%d]", i)
		if seen[v.Key] {
			return wrong(field+".key", "%s stands there twice", v.Key)
		}
		seen[v.Key] = true
		if err := CheckVariable(field, v); err != nil {
			return err
		}
	}
	return nil
}

// CheckVariable refuses a variable that could never work.
func CheckVariable(field string, v kind.TemplateVariable) error {
	switch {
	case !placeholder.ValidKey(v.Key):
		return wrong(field+".key", "%q cannot be the name of an environment variable: use letters, digits and underscores", rule.Printable(v.Key))
	case Reserved(v.Key):
		return wrong(field+".key", "%s is reserved", v.Key)
	case Guarded(v.Key) && v.UserEditable:
		return wrong(field+".userEditable", "must be false: %s decides which programs and libraries are loaded", v.Key)
	case !slices.Contains(v.Type.Values(), string(v.Type)):
		return wrong(field+".type", "must be one of %s", strings.Join(v.Type.Values(), ", "))
	case v.Type == kind.VariableTypeEnum && rule.Options(v.Rules) == nil:
		return wrong(field+".rules", "of an ENUM must name its values, such as in:a,b")
	}
	for _, err := range []error{
		line(field+".name", v.Name, maxName), longText(field+".description", v.Description, maxDescription),
	} {
		if err != nil {
			return err
		}
	}
	set, err := rule.Compile(v.Type, v.Rules)
	if err != nil {
		return wrong(field+".rules", "of %s: it %s", v.Key, err)
	}
	if v.Default == "" {
		return nil
	}
	if err := set.Check(v.Default); err != nil {
		return wrong(field+".default", "of %s %s", v.Key, err)
	}
	return nil
}

func (t Template) checkInstall() error {
	if t.Install == nil {
		return nil
	}
	switch {
	case strings.TrimSpace(t.Install.Script) == "":
		return wrong("install.script", "is missing")
	case t.Install.Image == "":
		return wrong("install.image", "is missing")
	}
	for _, err := range []error{
		checkImage("install.image", t.Install.Image), line("install.entrypoint", t.Install.Entrypoint, maxAuthor),
		longText("install.script", t.Install.Script, maxScript),
	} {
		if err != nil {
			return err
		}
	}
	return t.Install.checkKeep()
}

// checkKeep refuses patterns that can match nothing.
func (i *Install) checkKeep() error {
	if len(i.Keep) > maxList {
		return wrong("install.keep", "has more than %d elements", maxList)
	}
	if len(i.Keep) > 0 && !i.Clear {
		return wrong("install.keep", "says what stays when files are removed: set install.clear, too")
	}
	for n, pattern := range i.Keep {
		field := fmt.Sprintf("install.keep[%d]", n)
		if err := line(field, pattern, maxPattern); err != nil {
			return err
		}
		if _, err := path.Match(pattern, ""); err != nil || strings.Trim(pattern, "/") == "" || slices.Contains(strings.Split(pattern, "/"), "..") {
			return wrong(field, "is no pattern of a name below the server's directory, such as saves or config/*.ini")
		}
	}
	return nil
}

func (t Template) checkLife() error {
	if len(t.Ready.Patterns) > maxList {
		return wrong("ready.patterns", "has more than %d elements", maxList)
	}
	for i, p := range t.Ready.Patterns {
		field := fmt.Sprintf("ready.patterns[%d]", i)
		if len(p) > maxPattern {
			return wrong(field, "is longer than %d bytes", maxPattern)
		}
		if _, err := regexp.Compile(p); err != nil {
			return wrong(field, "is no regular expression (RE2): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	if t.Stop.Signal != "" && !slices.Contains(Signals, t.Stop.Signal) {
		return wrong("stop.signal", "must be one of %s", strings.Join(Signals, ", "))
	}
	if t.CrashPolicy != "" && !slices.Contains(t.CrashPolicy.Values(), string(t.CrashPolicy)) {
		return wrong("crashPolicy", "must be one of %s", strings.Join(t.CrashPolicy.Values(), ", "))
	}
	if err := line("stop.command", t.Stop.Command, maxLine); err != nil {
		return err
	}
	for field, hooks := range map[string][]string{"backup.before": t.Backup.Before, "backup.after": t.Backup.After} {
		if len(hooks) > maxList {
			return wrong(field, "has more than %d elements", maxList)
		}
		for i, l := range hooks {
			if err := line(fmt.Sprintf("%s[%d]", field, i), l, maxLine); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPath refuses what does not stay within a server's directory.
func checkPath(field, p string) error {
	clean := path.Clean(p)
	switch {
	case p == "" || clean == ".":
		return wrong(field, "names no file")
	case path.IsAbs(p) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(p, "\\\x00\r\n"):
		return wrong(field, "must be a path within the server's directory")
	}
	return longText(field, p, maxLine)
}

func (t Template) checkConfigFiles() error {
	if len(t.ConfigFiles) > maxList {
		return wrong("configFiles", "has more than %d elements", maxList)
	}
	seen := map[string]bool{}
	for i, f := range t.ConfigFiles {
		field := fmt.Sprintf("configFiles[%d]", i)
		if seen[path.Clean(f.Path)] {
			return wrong(field+".path", "stands there twice")
		}
		seen[path.Clean(f.Path)] = true
		if err := CheckConfigFile(field, f); err != nil {
			return err
		}
	}
	return nil
}

// CheckConfigFile refuses a configuration file that could never be rewritten.
func CheckConfigFile(field string, f kind.ConfigFile) error {
	switch {
	case !slices.Contains(f.Parser.Values(), string(f.Parser)):
		return wrong(field+".parser", "must be one of %s", strings.Join(f.Parser.Values(), ", "))
	case len(f.Replace) > maxReplace:
		return wrong(field+".replace", "has more than %d elements", maxReplace)
	}
	if err := checkPath(field+".path", f.Path); err != nil {
		return err
	}
	for j, r := range f.Replace {
		if err := CheckReplacement(fmt.Sprintf("%s.replace[%d]", field, j), r); err != nil {
			return err
		}
	}
	return nil
}

// CheckReplacement refuses a replacement that could never be made.
func CheckReplacement(field string, r kind.ConfigReplacement) error {
	if r.Match == "" {
		return wrong(field+".match", "is missing")
	}
	if pattern, ok := strings.CutPrefix(r.If, "regex:"); ok {
		if len(pattern) > maxPattern {
			return wrong(field+".if", "is longer than %d bytes", maxPattern)
		}
		if _, err := regexp.Compile(pattern); err != nil {
			return wrong(field+".if", "is no regular expression (RE2): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	for _, err := range []error{
		line(field+".match", r.Match, maxLine), longText(field+".if", r.If, maxValue), longText(field+".value", r.Value, maxValue),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (t Template) checkLists() error {
	for field, list := range map[string][]string{"features": t.Features, "tags": t.Tags} {
		if len(list) > maxList {
			return wrong(field, "has more than %d elements", maxList)
		}
		for i, w := range list {
			if !word.MatchString(w) {
				return wrong(fmt.Sprintf("%s[%d]", field, i), "must be a word of up to 64 letters and digits")
			}
		}
	}
	if len(t.DeniedFiles) > maxList {
		return wrong("deniedFiles", "has more than %d elements", maxList)
	}
	for i, p := range t.DeniedFiles {
		if err := line(fmt.Sprintf("deniedFiles[%d]", i), p, maxLine); err != nil {
			return err
		}
	}
	return nil
}

func (t Template) checkNumbers() error {
	for _, b := range []struct {
		field string
		n     int64
	}{
		{"limits.memory", t.Limits.Memory},
		{"limits.swap", t.Limits.Swap},
		{"limits.disk", t.Limits.Disk},
		{"minimum.memory", t.Minimum.Memory},
		{"minimum.disk", t.Minimum.Disk},
	} {
		if b.n < 0 || b.n >= 1<<53 {
			return wrong(b.field, "must be a number of bytes; 0 is no limit")
		}
	}
	install := DefaultInstallTimeout
	if t.Install != nil {
		install = t.Install.Timeout
	}
	grace := DefaultGrace
	if t.Stop.Grace != nil {
		grace = *t.Stop.Grace
	}
	for _, r := range []struct {
		field       string
		n, min, max int
	}{
		{"limits.cpu", t.Limits.CPU, 0, 1_000_000},
		{"minimum.cpu", t.Minimum.CPU, 0, 1_000_000},
		{"ports", t.Ports, 0, 64},
		{"stop.grace", grace, 0, 3600},
		{"ready.timeout", t.Ready.Timeout, 1, 86_400},
		{"install.timeout", install, 1, 86_400},
	} {
		if r.n < r.min || r.n > r.max {
			return wrong(r.field, "must be a number from %d to %d", r.min, r.max)
		}
	}
	return nil
}
