package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/configfile"
	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// configureTime bounds the rewriting of all of a server's configuration files.
	configureTime = 30 * time.Second
	// gatewayKey is the variable, and the placeholder in configuration files, that holds the address under which a program
	// reaches its node.
	gatewayKey = "CATALYST_GATEWAY"
	// loopback is that address where programs share the node's network.
	loopback = "127.0.0.1"
)

// gatewayPlaceholder stands in what the panel cannot know the address for.
const gatewayPlaceholder = "{{" + gatewayKey + "}}"

// gateway is a runtime that gives servers a network of their own.
type gateway interface {
	// Gateway is the address under which a server's program reaches the node.
	Gateway(server *protocol.ServerSpec) string
}

// situated is a specification with what only its node knows: the address under which the program reaches it.
func (a *actor) situated(server *protocol.ServerSpec) *protocol.ServerSpec {
	address := loopback
	if r, ok := a.supervisor.config.Runtime.(gateway); ok {
		address = r.Gateway(server)
	}
	server = proto.CloneOf(server)
	if server.Environment == nil {
		server.Environment = make(map[string]string, 1)
	}
	server.Environment[gatewayKey] = address
	for i, arg := range server.GetArgv() {
		server.Argv[i] = strings.ReplaceAll(arg, gatewayPlaceholder, address)
	}
	for _, f := range server.GetConfigFiles() {
		for _, r := range f.GetReplace() {
			r.Value = strings.ReplaceAll(r.GetValue(), gatewayPlaceholder, address)
		}
	}
	return server
}

// configure rewrites the server's configuration files. One that cannot be read is left as it is and named in the console:
// its program may well know what to do with it. The error is one of the disk. It runs beside the actor.
func (a *actor) configure(ctx context.Context, server *protocol.ServerSpec) error {
	limited, cancel := context.WithTimeout(ctx, configureTime)
	defer cancel()
	for _, f := range server.GetConfigFiles() {
		err := a.rewrite(limited, f)
		wrong, isWrong := errors.AsType[unreadableError](err)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isWrong:
			a.tell(ctx, server, fmt.Sprintf("%s is left as it is: %s.", f.GetPath(), wrong.error))
		case err != nil:
			return fmt.Errorf("%s is not written: %w", f.GetPath(), err)
		}
	}
	return nil
}

// unreadableError is what is wrong with a file, not with the disk.
type unreadableError struct{ error }

func (a *actor) rewrite(ctx context.Context, f *protocol.ConfigFile) error {
	replace := make([]kind.ConfigReplacement, len(f.GetReplace()))
	for i, r := range f.GetReplace() {
		replace[i] = kind.ConfigReplacement{Match: r.GetMatch(), If: r.GetIf(), Value: r.GetValue()}
	}
	parser := kind.ConfigParser(f.GetParser())
	err := a.supervisor.store.Rewrite(a.id, f.GetPath(), configfile.MaxSize, func(old []byte) ([]byte, error) {
		if old == nil && !configfile.Makes(parser) {
			return nil, nil
		}
		fresh, err := configfile.Rewrite(ctx, old, parser, replace)
		if err != nil {
			return nil, unreadableError{err}
		}
		return fresh, nil
	})
	if errors.Is(err, files.ErrNotRegular) {
		return unreadableError{files.ErrNotRegular}
	}
	return err
}

// tell records a SYSTEM line while a server is being started, before its holder has the console.
func (a *actor) tell(ctx context.Context, server *protocol.ServerSpec, text string) {
	if err := a.appendLine(ctx, server.GetConsole().GetAfter(), text); err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "a console line is not written", slog.String("text", text), slog.Any("error", err))
	}
}
