package servers

import (
	"context"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// askedToInstall is the reason of INSTALLING until the node has something to say.
const askedToInstall = "asked to install"

// Install runs the install script of a server's template once more, over the server's files. It needs server.install, and
// fails with CONFLICT while the server runs or is busy, when it is suspended, and when there is nothing to install.
func (s *Service) Install(ctx context.Context, id string) (*ent.Server, error) {
	e := deed("server.install", id)
	if err := s.may(ctx, e, access.ServerInstall); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		recipe, err := s.recipe(ctx, t, sv)
		if err != nil {
			return err
		}
		switch {
		case recipe.Install == nil:
			return fault.New(fault.Conflict, "The server's template has no install script: there is nothing to install.")
		case sv.State.Alive():
			return fault.New(fault.Conflict, "The server is %s: stop it first.", word(sv.State))
		}
		if err := startable(sv); err != nil {
			return err
		}
		if err := online(ctx, t, sv); err != nil {
			return err
		}
		if err := enter(u, sv, kind.ServerStateInstalling, askedToInstall); err != nil {
			return err
		}
		u.SetPower(kind.PowerStop).AddInstall(1).SetInstallSeq(sv.ConsoleSeq).AddGeneration(1).SetPendingRestart(false)
		s.deliver(ctx, sv)
		return nil
	})
}

// installation is how a server's files come into being, for its node; nil when there is nothing to install.
func installation(sv *ent.Server, t document.Template) (spec *protocol.InstallSpec, secrets []string) {
	if t.Install == nil {
		return nil, nil
	}
	for _, v := range t.Variables {
		value, set := sv.Environment[v.Key]
		if !set {
			value = v.Default
		}
		if v.Secret && value != "" {
			secrets = append(secrets, value)
		}
	}
	return &protocol.InstallSpec{
		Image: t.Install.Image, Entrypoint: t.Install.Entrypoint, Script: strings.ReplaceAll(t.Install.Script, "\r\n", "\n"),
		TimeoutMs: int64(t.Install.Timeout) * 1000, Clear: t.Install.Clear, Keep: t.Install.Keep,
	}, secrets
}

// installs makes a new server begin with its installation.
func installs(create *ent.ServerCreate) {
	create.SetInstall(1).SetState(kind.ServerStateInstalling).SetStateReason(askedToInstall)
}

// installed reports whether a change of state is the good end of an installation.
func installed(from, to kind.ServerState, reason string) bool {
	if from != kind.ServerStateInstalling {
		return false
	}
	switch to {
	case kind.ServerStateStarting, kind.ServerStateRunning, kind.ServerStateCrashed:
		return true
	case kind.ServerStateStopped:
		return reason == "" // else it was stopped before its end
	case kind.ServerStateInstalling, kind.ServerStateStopping, kind.ServerStateTransferring, kind.ServerStateRestoring, kind.ServerStateError:
	}
	return false
}
