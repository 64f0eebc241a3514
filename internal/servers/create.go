package servers

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/location"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxAllocations is how many allocations a server may have.
const maxAllocations = 64

// CreateInput describes a new server. What is nil comes from the template; without a node the server is placed,
// without an owner it is the caller's, without allocations free ones are taken.
type CreateInput struct {
	Name, TemplateID                    string
	NodeID, OwnerID, Description, Image *string
	// Memory, Disk and Swap are bytes, CPU is percent of one core.
	Memory, Disk, Swap *int64
	CPU                *int
	// LocationID and Labels are what the node has to have when none is named.
	LocationID     *string
	Labels         []kind.Label
	Environment    []kind.EnvVar
	AllocationIDs  []string
	NetworkMode    *kind.NetworkMode
	Network        *string
	CrashPolicy    *kind.CrashPolicy
	StartupCommand *string
	StartOnInstall bool

	// inherited are the values of the server that is cloned.
	inherited map[string]string
}

// Create makes a server. It needs server.create, and node.update for what touches the node itself: unlimited resources
// and the network modes HOST and CUSTOM. It fails with BAD_USER_INPUT naming the field, with CONFLICT when there is no
// room or no free port, and with NODE_OFFLINE; then nothing was made.
func (s *Service) Create(ctx context.Context, in CreateInput) (*ent.Server, error) {
	e := deed("server.create", "")
	if err := access.Check(ctx, s.Client, access.ServerCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	plan, err := s.plan(ctx, &in)
	if err != nil {
		return nil, err
	}
	return s.make(ctx, e, in, plan)
}

// make stores a planned server on the node that it is for.
func (s *Service) make(ctx context.Context, e audit.Entry, in CreateInput, plan *plan) (*ent.Server, error) {
	var made *ent.Server
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		home, err := s.home(ctx, t, in, plan)
		if err != nil {
			return err
		}
		create := plan.create(t, in).SetNodeID(home.ID).SetNetworkMode(networkMode(in, home))
		if in.StartOnInstall {
			create.SetPower(kind.PowerRun).SetRun(1).SetState(kind.ServerStateStarting).SetStateReason("asked to start")
		}
		if plan.template.InstallScript != "" {
			installs(create)
		}
		sv, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store server: %w", err)
		}
		if err := s.Nodes.Claim(ctx, t, home.ID, sv.ID, in.AllocationIDs, plan.template.PortsWanted); err != nil {
			return err
		}
		s.deliver(ctx, sv)
		e.TargetID, e.ServerID = sv.ID, sv.ID
		e.Details = map[string]any{"name": sv.Name, "node": home.ID, "template": plan.template.ID}
		made = sv.Unwrap()
		return nil
	})
	return made, err
}

// plan is a new server as far as it can be worked out before a transaction.
type plan struct {
	template           *ent.Template
	ownerID            string
	image              string
	memory, disk, swap int64
	cpu                int
	environment        map[string]string
	crashPolicy        kind.CrashPolicy
	// maxRestarts and window limit restarts after crashes; nil takes the defaults.
	maxRestarts, window *int
}

// plan checks the input, takes the space around its name away, and fills it up from the template.
func (s *Service) plan(ctx context.Context, in *CreateInput) (*plan, error) {
	if err := (texts{&in.Name, in.Description, in.Image, in.Network}).check(); err != nil {
		return nil, err
	}
	tmpl, err := s.Client.Template.Query().Where(template.ID(in.TemplateID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "There is no such template, or you may not see it: the query templates lists those there are.")
	}
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	p := &plan{
		template: tmpl, image: or(in.Image, tmpl.DefaultImage), memory: or(in.Memory, tmpl.Memory), disk: or(in.Disk, tmpl.Disk),
		swap: or(in.Swap, tmpl.Swap), cpu: or(in.CPU, tmpl.CPU), crashPolicy: or(in.CrashPolicy, tmpl.CrashPolicy),
	}
	infrastructure := mayInfrastructure(ctx)
	if err := checkLimits(limits{in.Memory, in.Disk, in.Swap, in.CPU}, infrastructure); err != nil {
		return nil, err
	}
	if !infrastructure && in.inherited == nil { // a copy has what its original was given
		if err := checkProgram(tmpl, tmpl.DefaultImage, in.Image, in.Swap, max(tmpl.Swap, p.memory)); err != nil {
			return nil, err
		}
	}
	if in.NetworkMode != nil && *in.NetworkMode != kind.NetworkModeBridge && !infrastructure {
		return nil, fault.New(fault.Forbidden, "The network mode %s needs the permission node.update.", *in.NetworkMode)
	}
	if custom := in.NetworkMode != nil && *in.NetworkMode == kind.NetworkModeCustom; custom != (in.Network != nil && *in.Network != "") {
		return nil, fault.Input("network", "Name a network together with the network mode CUSTOM, and only with that.")
	}
	if len(in.AllocationIDs) > maxAllocations {
		return nil, fault.Input("allocationIds", "A server may have %d allocations at the most.", maxAllocations)
	}
	recipe := templates.Document(tmpl)
	if err := checkCommand(recipe, in.StartupCommand); err != nil {
		return nil, err
	}
	if err := checkMinimum(recipe.Minimum, p); err != nil {
		return nil, err
	}
	if p.environment, err = templates.Resolve(recipe, in.inherited, in.Environment, infrastructure); err != nil {
		return nil, err
	}
	p.ownerID, err = s.owner(ctx, in.OwnerID)
	return p, err
}

// checkProgram refuses what only those may ask for who may change nodes: an image that neither the template offers nor
// the server has, since which code may run is decided by who writes templates, and more swap than most, which is not
// counted among what a node has.
func checkProgram(tmpl *ent.Template, has string, image *string, swap *int64, most int64) error {
	if swap != nil && *swap > most {
		return fault.Input("swap", "Up to %d bytes of swap can be had here; more needs the permission node.update.", most)
	}
	if image == nil || *image == has || *image == tmpl.DefaultImage {
		return nil
	}
	names := make([]string, len(tmpl.Images))
	for i, offered := range tmpl.Images {
		if names[i] = offered.Image; offered.Image == *image {
			return nil
		}
	}
	if len(names) == 0 {
		return fault.Input("image", "The template offers no other image; naming one needs the permission node.update.")
	}
	return fault.Input("image", "The template offers %s; naming another image needs the permission node.update.", strings.Join(names, ", "))
}

// checkMinimum refuses limits below what the program cannot do without.
func checkMinimum(least kind.TemplateLimits, p *plan) error {
	for _, l := range []struct {
		field      string
		has, least int64
		unit       string
	}{
		{"memory", p.memory, least.Memory, "bytes of memory"},
		{"disk", p.disk, least.Disk, "bytes of disk space"},
		{"cpu", int64(p.cpu), int64(least.CPU), "percent of one core"},
	} {
		if l.has != 0 && l.has < l.least {
			return fault.Input(l.field, "The template needs %d %s at least.", l.least, l.unit)
		}
	}
	return nil
}

// owner returns who will own a new server: the caller, or somebody the caller may see.
func (s *Service) owner(ctx context.Context, wanted *string) (string, error) {
	caller := viewer.FromContext(ctx).UserID
	if wanted == nil || *wanted == caller {
		if caller == "" {
			return "", fault.Input("ownerId", "Name the user who will own the server.")
		}
		return caller, nil
	}
	exists, err := s.Client.User.Query().Where(user.ID(*wanted)).Exist(ctx)
	if err != nil {
		return "", fmt.Errorf("look up owner: %w", err)
	}
	if !exists {
		return "", fault.New(fault.NotFound, "There is no such user, or you may not see it.")
	}
	return *wanted, nil
}

// home returns the node of a new server: the one that is named, or the one that has the most room.
func (s *Service) home(ctx context.Context, t *ent.Tx, in CreateInput, p *plan) (*ent.Node, error) {
	need := nodes.Need{
		Memory: p.memory, Disk: p.disk, CPU: p.cpu, Ports: p.template.PortsWanted, Containers: p.template.InstallScript != "",
		Architectures: p.template.Architectures, LocationID: or(in.LocationID, ""),
	}
	var err error
	if need.Labels, err = where(ctx, t, in); err != nil {
		return nil, err
	}
	if in.NodeID == nil {
		if len(in.AllocationIDs) > 0 {
			return nil, fault.Input("nodeId", "Name the node that the allocations belong to.")
		}
		return s.Nodes.Place(ctx, t, need)
	}
	n, err := t.Node.Query().Where(node.ID(*in.NodeID)).Only(ctx) // as the caller: naming a node needs node.read
	if ent.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "There is no such node, or you may not see it: leave nodeId out and the server is placed for you.")
	}
	if err != nil {
		return nil, fmt.Errorf("read node: %w", err)
	}
	if !n.Online {
		return nil, fault.New(fault.NodeOffline, "The node %s is offline: start its agent, or leave nodeId out and another one is chosen.", n.Name)
	}
	if n.Maintenance {
		return nil, fault.New(fault.Conflict, "The node %s is in maintenance: choose another one.", n.Name)
	}
	if need.Containers && !nodes.RunsContainers(n) {
		return nil, fault.New(fault.Conflict, "The template is installed in a container, and the node %s runs programs without containers: choose a node with containerd.", n.Name)
	}
	if !nodes.Suits(n, need) {
		return nil, fault.New(fault.Conflict, "The program runs on %s only, and the node %s has %s: choose another one.", strings.Join(need.Architectures, " and "), n.Name, n.Arch)
	}
	return n, s.Nodes.Reserve(ctx, t, n.ID, need)
}

// where checks what is asked of the place of a new server, and returns the labels that its node needs. Nobody can find out
// by it which places and labels there are.
func where(ctx context.Context, t *ent.Tx, in CreateInput) (map[string]string, error) {
	if in.NodeID != nil && (in.LocationID != nil || len(in.Labels) > 0) {
		return nil, fault.Input("nodeId", "Name the node, or say where and what it has to be, not both.")
	}
	if in.LocationID != nil {
		exists, err := t.Location.Query().Where(location.ID(*in.LocationID)).Exist(ctx)
		if err != nil {
			return nil, fmt.Errorf("look up location: %w", err)
		}
		if !exists {
			return nil, fault.New(fault.NotFound, "There is no such location, or you may not see it.")
		}
	}
	if v := viewer.FromContext(ctx); len(in.Labels) > 0 && !v.IsSystem() && !access.Grants(v, access.NodeRead) {
		return nil, fault.New(fault.Forbidden, "Choosing a node by its labels needs the permission node.read.")
	}
	labels := make(map[string]string, len(in.Labels))
	for _, l := range in.Labels {
		labels[l.Key] = l.Value
	}
	return labels, nil
}

// create fills a new server in from the plan.
func (p *plan) create(t *ent.Tx, in CreateInput) *ent.ServerCreate {
	return t.Server.Create().
		SetName(in.Name).SetNillableDescription(in.Description).SetTemplateID(p.template.ID).SetTemplateRevision(p.template.Revision).
		SetNillableStartupCommand(in.StartupCommand).SetOwnerID(p.ownerID).
		SetImage(p.image).SetMemory(p.memory).SetDisk(p.disk).SetSwap(p.swap).SetCPU(p.cpu).
		SetEnvironment(p.environment).SetCrashPolicy(p.crashPolicy).
		SetNillableCrashMaxRestarts(p.maxRestarts).SetNillableCrashWindow(p.window).SetNillableNetwork(in.Network).SetStateChangedAt(now())
}

// networkMode is the one that is wanted; programs without containers have the node's network.
func networkMode(in CreateInput, home *ent.Node) kind.NetworkMode {
	if !nodes.RunsContainers(home) {
		return kind.NetworkModeHost
	}
	return or(in.NetworkMode, kind.NetworkModeBridge)
}

// limits are the resources that an input names.
type limits struct {
	memory, disk, swap *int64
	cpu                *int
}

// checkLimits refuses negative limits, and unlimited ones from those who may not change nodes.
func checkLimits(l limits, infrastructure bool) error {
	check := func(field string, n int64, zeroIsUnlimited bool) error {
		switch {
		case n < 0:
			return fault.Input(field, "A limit cannot be negative.")
		case n == 0 && zeroIsUnlimited && !infrastructure:
			return fault.Input(field, "0 means unlimited, which needs the permission node.update: name a limit.")
		}
		return nil
	}
	for _, b := range []struct {
		field string
		n     *int64
		zero  bool
	}{{"memory", l.memory, true}, {"disk", l.disk, true}, {"swap", l.swap, false}} {
		if b.n == nil {
			continue
		}
		if err := check(b.field, *b.n, b.zero); err != nil {
			return err
		}
	}
	if l.cpu == nil {
		return nil
	}
	return check("cpu", int64(*l.cpu), true)
}

// mayInfrastructure reports whether the caller may do what touches nodes as such.
func mayInfrastructure(ctx context.Context) bool {
	v := viewer.FromContext(ctx)
	return v.IsSystem() || access.Grants(v, access.NodeUpdate)
}

func or[T any](v *T, otherwise T) T {
	if v != nil {
		return *v
	}
	return otherwise
}
