package servers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"

	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Wanted is what should be done about one server: one of the two, or neither when it has no business on the node.
type Wanted struct {
	Apply  *protocol.ApplyServerRequest
	Remove *protocol.RemoveServerRequest
}

// All returns what should be done about every server of a node.
func (s *Service) All(ctx context.Context, nodeID string) ([]Wanted, error) {
	return s.wanted(ctx, server.NodeID(nodeID))
}

// One returns what should be done about one server of a node.
func (s *Service) One(ctx context.Context, nodeID, serverID string) (Wanted, error) {
	all, err := s.wanted(ctx, server.And(server.NodeID(nodeID), server.ID(serverID)))
	if err != nil || len(all) == 0 {
		return Wanted{}, err
	}
	return all[0], nil
}

// wanted reads servers, whoever may see them, and says what should be done about each.
func (s *Service) wanted(ctx context.Context, where func(*sql.Selector)) ([]Wanted, error) {
	ctx = viewer.System(ctx, nil, "read what is wanted of a node")
	rows, err := s.Client.Server.Query().Where(where).WithTemplate().
		WithAllocations(func(q *ent.AllocationQuery) { q.Order(allocation.ByIP(), allocation.ByPort()) }).
		Order(server.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read servers: %w", err)
	}
	recipes, err := templates.ReadRecipes(ctx, s.Client, rows...)
	if err != nil {
		return nil, err
	}
	out := make([]Wanted, len(rows))
	for i, sv := range rows {
		if sv.DeletedAt != nil {
			out[i].Remove = &protocol.RemoveServerRequest{ServerId: sv.ID, KeepFiles: sv.KeepFiles}
			continue
		}
		out[i].Apply = &protocol.ApplyServerRequest{Spec: spec(sv, recipes.Of(sv)), Desired: &protocol.Desired{
			Generation: uint64(sv.Generation), Power: powers[sv.Power], Run: uint64(sv.Run), CrashResets: uint64(sv.CrashResets),
			Install: uint64(sv.Install), Restore: uint64(sv.Restore),
		}}
		if out[i].Apply.Spec.Restore, err = s.Backups.Restoration(ctx, sv); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Removed records that a node has removed a deleted server: its row goes, and its allocations are free again.
func (s *Service) Removed(ctx context.Context, nodeID, serverID string) error {
	ctx = viewer.System(ctx, s.Logger, "a node has removed a server")
	ours, err := s.Client.Server.Query().Where(server.ID(serverID), server.NodeID(nodeID), server.DeletedAtNotNil()).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for a deleted server: %w", err)
	}
	if ours {
		if err := s.Backups.Forget(ctx, serverID); err != nil {
			return err
		}
		if err := s.Console.Forget(ctx, serverID); err != nil {
			return err
		}
	}
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		owned := allocation.HasServerWith(server.ID(serverID), server.NodeID(nodeID), server.DeletedAtNotNil())
		ids, err := t.Allocation.Query().Where(owned).IDs(ctx)
		if err != nil {
			return fmt.Errorf("find the server's allocations: %w", err)
		}
		for _, id := range ids { // one by one, since each change is announced
			if err := t.Allocation.UpdateOneID(id).ClearServerID().SetPrimary(false).Exec(ctx); err != nil {
				return fmt.Errorf("free allocation: %w", err)
			}
		}
		gone, err := t.Server.Delete().Where(server.ID(serverID), server.NodeID(nodeID), server.DeletedAtNotNil()).Exec(ctx)
		if err != nil {
			return fmt.Errorf("delete server: %w", err)
		}
		s.reported.Delete(serverID)
		if gone > 0 {
			s.Logger.InfoContext(ctx, "server removed", slog.String("server_id", serverID), slog.String("node_id", nodeID))
		}
		return nil
	})
}

// Pending returns the servers of a node that have not been reported to be as they are wanted.
func (s *Service) Pending(ctx context.Context, nodeID string) ([]string, error) {
	ctx = viewer.System(ctx, nil, "look for servers that are not as wanted")
	ids, err := s.Client.Server.Query().Where(server.NodeID(nodeID), server.Or(
		server.DeletedAtNotNil(),
		func(q *sql.Selector) {
			q.Where(sql.ColumnsNEQ(q.C(server.FieldGeneration), q.C(server.FieldObservedGeneration)))
		},
	)).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read pending servers: %w", err)
	}
	return ids, nil
}

// powers and policies translate enumerations to the wire.
var (
	powers = map[kind.Power]protocol.Power{
		kind.PowerRun: protocol.Power_POWER_RUN, kind.PowerStop: protocol.Power_POWER_STOP, kind.PowerKill: protocol.Power_POWER_KILL,
	}
	policies = map[kind.CrashPolicy]protocol.CrashPolicy{
		kind.CrashPolicyNever:     protocol.CrashPolicy_CRASH_POLICY_NEVER,
		kind.CrashPolicyOnFailure: protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE,
		kind.CrashPolicyAlways:    protocol.CrashPolicy_CRASH_POLICY_ALWAYS,
	}
)

// spec is a server as its node needs to know it, with every placeholder resolved.
func spec(sv *ent.Server, t document.Template) *protocol.ServerSpec {
	environment := environment(sv, t)
	out := &protocol.ServerSpec{
		ServerId: sv.ID, Name: sv.Name, Image: sv.Image, Environment: environment,
		Limits: &protocol.Limits{Memory: sv.Memory, Swap: sv.Swap, Disk: sv.Disk, Cpu: int32(sv.CPU)},
		Stop: &protocol.StopSpec{
			Command: t.Stop.Command, Signal: trimSIG(t.Stop.Signal), GraceMs: int64(or(t.Stop.Grace, document.DefaultGrace)) * 1000,
		},
		ReadyPatterns: t.Ready.Patterns, StartTimeoutMs: int64(t.Ready.Timeout) * 1000,
		Crash: &protocol.CrashSpec{
			Policy: policies[sv.CrashPolicy], MaxRestarts: int32(sv.CrashMaxRestarts), WindowMs: int64(sv.CrashWindow) * 1000,
		},
		Console:     &protocol.ConsoleSpec{After: uint64(sv.ConsoleSeq), LinesPerSecond: int64(or(sv.ConsoleRateLines, 0)), BytesPerSecond: or(sv.ConsoleRateBytes, 0)},
		NetworkMode: string(sv.NetworkMode), Network: or(sv.Network, ""), Tty: t.Terminal,
		ConfigFiles: configFiles(t, environment), DeniedFiles: t.DeniedFiles, ImageEntrypoint: t.Startup.ImageEntrypoint,
	}
	out.Install, out.Secrets = installation(sv, t)
	command := startup(t, sv.StartupCommand)
	if len(command.Argv) > 0 {
		out.Argv = placeholder.Argv(command.Argv, withGateway(environment))
	} else {
		out.Shell = placeholder.Shell(command.Shell)
	}
	for _, a := range sv.Edges.Allocations {
		out.Ports = append(out.Ports, &protocol.Port{Ip: a.IP, Port: int32(a.Port), Primary: a.Primary})
	}
	return out
}

// startup is the way to start a server that was chosen, or the usual one.
func startup(t document.Template, name string) kind.TemplateCommand {
	for _, c := range t.Startup.Commands {
		if name != "" && c.Name == name {
			return c
		}
	}
	return kind.TemplateCommand{Shell: t.Startup.Shell, Argv: t.Startup.Argv}
}

// environment is what a server's program is given: the template's variables, and what Catalyst says of the server.
func environment(sv *ent.Server, t document.Template) map[string]string {
	env := make(map[string]string, len(sv.Environment)+12)
	env[placeholder.ServerName] = sv.Name // gives way to a variable of that name
	for _, v := range t.Variables {
		env[v.Key] = v.Default
	}
	maps.Copy(env, sv.Environment)
	env[placeholder.ServerID] = sv.ID
	env[placeholder.Label] = sv.Name
	env[placeholder.ServerMemory] = strconv.FormatInt(sv.Memory>>20, 10)
	env[placeholder.Swap] = strconv.FormatInt(sv.Swap>>20, 10)
	env[placeholder.Disk] = strconv.FormatInt(sv.Disk>>20, 10)
	env[placeholder.CPU] = strconv.Itoa(sv.CPU)
	for _, a := range sv.Edges.Allocations {
		if a.Primary || env[placeholder.ServerPort] == "" {
			env[placeholder.ServerIP], env[placeholder.ServerPort] = a.IP, strconv.Itoa(a.Port)
		}
	}
	return env
}

func trimSIG(signal string) string {
	if len(signal) > 3 && signal[:3] == "SIG" {
		return signal[3:]
	}
	return signal
}
