package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/graph"
)

// without lists what an entity does not have, and why.
var without = map[string]struct{ mutation, subscription string }{
	"AuditLog":        {"entries are written by what happens and never changed", ""},
	"BackupStorage":   {"", "changed by administrators alone, who read it anew"},
	"EnrolmentToken":  {"", "it changes with its node"},
	"Invite":          {"", "its server's accesses change when it is accepted"},
	"Session":         {"", "the caller's own; it changes with every refresh"},
	"Setting":         {"nothing can be set at run time yet", "read when it is needed"},
	"SshKey":          {"", "the caller's own"},
	"ApiKey":          {"", "the caller's own; it changes with every use"},
	"TaskRun":         {"written by the scheduler", ""},
	"Transfer":        {"nothing moves servers yet", ""},
	"WebhookDelivery": {"written by what delivers", "listed under its webhook"},
}

// names are those of operations and fields where they are not the type's own.
var names = map[string]string{"HostNode": "node"}

// TestEveryEntityIsCovered holds each entity to a query by id, a list, a mutation and a subscription, or a reason.
func TestEveryEntityIsCovered(t *testing.T) {
	t.Parallel()
	schema := graph.NewSchema(graph.Config{}).Schema()
	listed := map[string]bool{}
	for _, f := range schema.Query.Fields {
		listed[f.Type.Name()] = true
	}
	for name, def := range schema.Types {
		if def.Kind != ast.Object || !slices.Contains(def.Interfaces, "Node") {
			continue
		}
		noun := names[name]
		if noun == "" {
			noun = strings.ToLower(name[:1]) + name[1:]
		}
		if f := schema.Query.Fields.ForName(strings.ToLower(name[:1]) + name[1:]); f == nil || f.Type.Name() != name {
			t.Errorf("%s cannot be queried by its id", name)
		}
		if !listed[name+"Connection"] {
			t.Errorf("%s is in no list", name)
		}
		mutable := false
		for _, m := range schema.Mutation.Fields {
			payload := schema.Types[m.Type.Name()].Fields
			verb, about := strings.CutSuffix(m.Name, name)
			about = about && verb == strings.ToLower(verb) // a FileTransfer is no Transfer
			if f := payload.ForName(noun); (f != nil && f.Type.Name() == name) || about {
				mutable = true
			}
		}
		check(t, name, "mutation", mutable, without[name].mutation)
		followed := schema.Subscription.Fields.ForName(noun+"Changed") != nil || schema.Subscription.Fields.ForName(noun+"Added") != nil
		check(t, name, "subscription", followed, without[name].subscription)
	}
}

func check(t *testing.T, entity, what string, has bool, reason string) {
	t.Helper()
	switch {
	case !has && reason == "":
		t.Errorf("%s has no %s, and no reason is given", entity, what)
	case has && reason != "":
		t.Errorf("%s has a %s: the reason why not is stale", entity, what)
	}
}
