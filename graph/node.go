package graph

import (
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/model"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
)

// labelMap returns labels as the services know them; of labels with the same name the last one counts.
func labelMap(o graphql.Omittable[[]kind.Label]) map[string]string {
	list, ok := o.ValueOK()
	if !ok {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, l := range list {
		m[l.Key] = l.Value
	}
	return m
}

func labels(m map[string]string) []model.NodeLabel {
	out := make([]model.NodeLabel, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, model.NodeLabel{Key: key, Value: m[key]})
	}
	return out
}

func systemOf(n *ent.Node) *model.NodeSystem {
	if n.Os == "" {
		return nil
	}
	return &model.NodeSystem{
		Os: n.Os, Arch: n.Arch, Kernel: n.Kernel, CPUCount: n.CPUCount, Memory: n.MemoryTotal, Disk: n.DiskTotal,
	}
}

func usageOf(n *ent.Node) *metrics.NodeUsage {
	if n.UsageAt == nil {
		return nil
	}
	return &metrics.NodeUsage{
		At: *n.UsageAt, CPUPercent: n.CPUPercent, MemoryBytes: n.MemoryBytes, DiskBytes: n.DiskBytes,
		NetworkRxBytes: n.NetworkRxBytes, NetworkTxBytes: n.NetworkTxBytes,
	}
}

func newNode(in model.CreateNodeInput) nodes.CreateInput {
	return nodes.CreateInput{
		Name: in.Name, LocationID: in.LocationID, PublicAddress: in.PublicAddress,
		MemoryLimit: in.MemoryLimit, CPULimit: in.CPULimit, DiskLimit: in.DiskLimit,
		Overcommit: in.Overcommit.Value(), Labels: labelMap(in.Labels), Maintenance: in.Maintenance.Value(),
	}
}

func changedNode(in model.UpdateNodeInput) (nodes.UpdateInput, error) {
	var refused error
	out := nodes.UpdateInput{
		ID: in.ID, Name: given("name", in.Name, &refused), LocationID: given("locationId", in.LocationID, &refused),
		PublicAddress: given("publicAddress", in.PublicAddress, &refused),
		MemoryLimit:   given("memoryLimit", in.MemoryLimit, &refused),
		CPULimit:      given("cpuLimit", in.CPULimit, &refused),
		DiskLimit:     given("diskLimit", in.DiskLimit, &refused),
		Overcommit:    given("overcommit", in.Overcommit, &refused),
		Labels:        labelMap(in.Labels),
		Maintenance:   given("maintenance", in.Maintenance, &refused),
	}
	return out, refused
}
