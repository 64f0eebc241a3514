package templates_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// variables are one of each kind.
var variables = []kind.TemplateVariable{
	{Key: "NAME", Type: kind.VariableTypeString, Default: "world", Rules: []string{"required", "max:8"}, UserEditable: true},
	{Key: "PORT", Type: kind.VariableTypeInteger, Default: "5000", Rules: []string{"between:1024,65535"}, UserEditable: true},
	{Key: "MODE", Type: kind.VariableTypeEnum, Default: "easy", Rules: []string{"in:easy,hard"}, UserEditable: true},
	{Key: "SEED", Type: kind.VariableTypeString, Rules: []string{"regex:/^[a-f0-9]*$/"}, UserEditable: true},
	{Key: "PVP", Type: kind.VariableTypeBoolean, Default: "0", UserEditable: true},
	{Key: "RATE", Type: kind.VariableTypeNumber, Default: "1.5", Rules: []string{"between:0,10"}, UserEditable: true},
	{Key: "ADMIN", Type: kind.VariableTypeString, Default: "x"},
}

func TestResolve(t *testing.T) {
	t.Parallel()
	got, err := templates.Resolve(document.Template{Variables: variables}, map[string]string{"MODE": "hard", "OLD": "gone"},
		[]kind.EnvVar{{Key: "NAME", Value: "a; b"}, {Key: "PORT", Value: "2000"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"NAME": "a; b", "PORT": "2000", "MODE": "hard", "SEED": "", "PVP": "0", "RATE": "1.5", "ADMIN": "x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given []kind.EnvVar
		says  string
	}{
		"empty but required": {[]kind.EnvVar{{Key: "NAME"}}, "is required"},
		"too long":           {[]kind.EnvVar{{Key: "NAME", Value: "123456789"}}, "at most 8"},
		"no number":          {[]kind.EnvVar{{Key: "PORT", Value: "many"}}, "whole number"},
		"out of range":       {[]kind.EnvVar{{Key: "PORT", Value: "80"}}, "from 1024 to 65535"},
		"no finite number":   {[]kind.EnvVar{{Key: "RATE", Value: "NaN"}}, "must be a number"},
		"not in the list":    {[]kind.EnvVar{{Key: "MODE", Value: "none"}}, "one of easy, hard"},
		"no match":           {[]kind.EnvVar{{Key: "SEED", Value: "xyz"}}, "must match"},
		"no truth value":     {[]kind.EnvVar{{Key: "PVP", Value: "maybe"}}, "true, false"},
		"NUL":                {[]kind.EnvVar{{Key: "NAME", Value: "a\x00b"}}, "NUL"},
		"unknown":            {[]kind.EnvVar{{Key: "LD_PRELOAD", Value: "/x.so"}}, "no variable"},
		"twice":              {[]kind.EnvVar{{Key: "PVP", Value: "1"}, {Key: "PVP", Value: "0"}}, "twice"},
		"not for users":      {[]kind.EnvVar{{Key: "ADMIN", Value: "y"}}, "administrator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := templates.Resolve(document.Template{Variables: variables}, nil, tt.given, false)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Code != fault.BadUserInput || f.Field != "environment."+tt.given[0].Key || !strings.Contains(f.Message, tt.says) {
				t.Errorf("got %v, want BAD_USER_INPUT on %s that says %q", err, tt.given[0].Key, tt.says)
			}
		})
	}
}

// TestOperands narrows what a startup calculates with: bash would run what stands in an index.
func TestOperands(t *testing.T) {
	t.Parallel()
	tmpl := document.Template{
		Startup:   document.Startup{Shell: `[[ {{LEVEL}} -eq 1 ]] && ./game {{NAME}}`},
		Variables: []kind.TemplateVariable{{Key: "LEVEL", UserEditable: true}, {Key: "NAME", UserEditable: true}},
	}
	for value, ok := range map[string]bool{"1": true, "-5": true, "": true, "x[$(id)]": false, "$x": false} {
		_, err := templates.Resolve(tmpl, nil, []kind.EnvVar{{Key: "LEVEL", Value: value}}, true)
		if (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
	if _, err := templates.Resolve(tmpl, nil, []kind.EnvVar{{Key: "NAME", Value: "x[$(id)]"}}, false); err != nil {
		t.Error(err)
	}
}
