package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/nodemetrics"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/servermetrics"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// sampling is the time between two samples, fresh how old the last one of something that runs can be.
	sampling = 30 * time.Second
	fresh    = 90 * time.Second
)

// findOffline finds the nodes that are offline. One in maintenance may be, and one that was never there is not missed.
func findOffline(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	q := t.Node.Query().Where(node.Online(false), node.Maintenance(false), node.LastSeenAtNotNil())
	switch {
	case rule.NodeID != nil:
		q.Where(node.ID(*rule.NodeID))
	case rule.ServerID != nil:
		q.Where(node.HasServersWith(server.ID(*rule.ServerID)))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for nodes that are offline: %w", err)
	}
	var out []finding
	for _, n := range rows {
		out = append(out, finding{
			subject: subject{rule: rule.ID, node: n.ID}, title: "The node " + n.Name + " is offline",
			message: "The node was last seen at " + n.LastSeenAt.UTC().Format(time.RFC3339) + ". Look at its agent and at its network.",
		})
	}
	return out, nil
}

// findCrashed finds the servers that have crashed and were not started again.
func findCrashed(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	q := t.Server.Query().Where(server.StateEQ(kind.ServerStateCrashed), server.DeletedAtIsNil())
	switch {
	case rule.ServerID != nil:
		q.Where(server.ID(*rule.ServerID))
	case rule.NodeID != nil:
		q.Where(server.NodeID(*rule.NodeID))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for servers that have crashed: %w", err)
	}
	var out []finding
	for _, sv := range rows {
		out = append(out, finding{
			subject: subject{rule: rule.ID, server: sv.ID}, title: "The server " + sv.Name + " has crashed", message: sv.StateReason,
		})
	}
	return out, nil
}

// measured is what the samples of a time say of one thing.
type measured struct {
	ID      string
	Low     float64
	High    float64
	Samples int
}

// fields are the columns that a metric's lowest and highest sample are taken from.
var fields = map[kind.AlertMetric]string{
	kind.AlertMetricCPU: servermetrics.FieldCPUPercentAvg, kind.AlertMetricMemory: servermetrics.FieldMemoryBytesAvg,
	kind.AlertMetricDisk: servermetrics.FieldDiskBytesAvg,
}

// findOver finds servers and nodes of which every sample of the time satisfies the comparison.
func (s *Service) findOver(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	if rule.Metric == nil || rule.Operator == nil || rule.Value == nil {
		return nil, nil
	}
	var out []finding
	if rule.NodeID == nil {
		found, err := s.serversOver(ctx, t, rule)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if rule.ServerID == nil {
		found, err := s.nodesOver(ctx, t, rule)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// window is the time whose samples count, and how many there must be of it.
func (s *Service) window(rule *ent.AlertRule) (since time.Time, samples int) {
	hold := time.Duration(rule.ForSeconds) * time.Second
	return s.now().Add(-max(hold, fresh)), max(1, int(hold/sampling)-1)
}

func (s *Service) serversOver(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	since, needed := s.window(rule)
	field := fields[*rule.Metric]
	recent := func(since time.Time) ([]measured, error) {
		q := t.ServerMetrics.Query().Where(servermetrics.ResolutionEQ(kind.MetricsResolutionRaw), servermetrics.AtGTE(since))
		if rule.ServerID != nil {
			q.Where(servermetrics.ServerID(*rule.ServerID))
		}
		var rows []struct {
			ServerID string  `json:"server_id"`
			Low      float64 `json:"low"`
			High     float64 `json:"high"`
			Samples  int     `json:"samples"`
		}
		err := q.GroupBy(servermetrics.FieldServerID).
			Aggregate(ent.As(ent.Min(field), "low"), ent.As(ent.Max(field), "high"), ent.As(ent.Count(), "samples")).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read samples of servers: %w", err)
		}
		out := make([]measured, len(rows))
		for i, r := range rows {
			out[i] = measured{r.ServerID, r.Low, r.High, r.Samples}
		}
		return out, nil
	}
	found, err := s.steady(recent, since, needed)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	rows, err := t.Server.Query().Where(server.IDIn(keys(found)...), server.DeletedAtIsNil()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read limits of servers: %w", err)
	}
	var out []finding
	for _, sv := range rows {
		limit := map[kind.AlertMetric]float64{
			kind.AlertMetricCPU: float64(sv.CPU), kind.AlertMetricMemory: float64(sv.Memory), kind.AlertMetricDisk: float64(sv.Disk),
		}[*rule.Metric]
		if text, holds := compare(rule, found[sv.ID], limit); holds {
			out = append(out, finding{subject{rule: rule.ID, server: sv.ID}, "The server " + sv.Name + " uses " + text, rule.Name})
		}
	}
	return out, nil
}

func (s *Service) nodesOver(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	since, needed := s.window(rule)
	field := fields[*rule.Metric]
	recent := func(since time.Time) ([]measured, error) {
		q := t.NodeMetrics.Query().Where(nodemetrics.ResolutionEQ(kind.MetricsResolutionRaw), nodemetrics.AtGTE(since))
		if rule.NodeID != nil {
			q.Where(nodemetrics.NodeID(*rule.NodeID))
		}
		var rows []struct {
			NodeID  string  `json:"node_id"`
			Low     float64 `json:"low"`
			High    float64 `json:"high"`
			Samples int     `json:"samples"`
		}
		err := q.GroupBy(nodemetrics.FieldNodeID).
			Aggregate(ent.As(ent.Min(field), "low"), ent.As(ent.Max(field), "high"), ent.As(ent.Count(), "samples")).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read samples of nodes: %w", err)
		}
		out := make([]measured, len(rows))
		for i, r := range rows {
			out[i] = measured{r.NodeID, r.Low, r.High, r.Samples}
		}
		return out, nil
	}
	found, err := s.steady(recent, since, needed)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	rows, err := t.Node.Query().Where(node.IDIn(keys(found)...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what nodes have: %w", err)
	}
	var out []finding
	for _, n := range rows {
		limit := map[kind.AlertMetric]float64{
			kind.AlertMetricCPU: float64(n.CPUCount) * 100, kind.AlertMetricMemory: float64(n.MemoryTotal), kind.AlertMetricDisk: float64(n.DiskTotal),
		}[*rule.Metric]
		if text, holds := compare(rule, found[n.ID], limit); holds {
			out = append(out, finding{subject{rule: rule.ID, node: n.ID}, "The node " + n.Name + " uses " + text, rule.Name})
		}
	}
	return out, nil
}

// steady returns what there are enough samples of since a time, the last one lately.
func (s *Service) steady(recent func(since time.Time) ([]measured, error), since time.Time, needed int) (map[string]measured, error) {
	all, err := recent(since)
	if err != nil {
		return nil, err
	}
	out := make(map[string]measured, len(all))
	for _, m := range all {
		if m.Samples >= needed {
			out[m.ID] = m
		}
	}
	if len(out) == 0 || s.now().Sub(since) <= fresh {
		return out, nil
	}
	late, err := recent(s.now().Add(-fresh))
	if err != nil {
		return nil, err
	}
	alive := make(map[string]bool, len(late))
	for _, m := range late {
		alive[m.ID] = true
	}
	for id := range out {
		if !alive[id] {
			delete(out, id)
		}
	}
	return out, nil
}

// compare reports whether all samples satisfy the rule, and says how much is used. Without a limit there is no percentage.
func compare(rule *ent.AlertRule, m measured, limit float64) (text string, holds bool) {
	if limit <= 0 {
		return "", false
	}
	low, high, value := 100*m.Low/limit, 100*m.High/limit, *rule.Value
	shown := low
	switch *rule.Operator {
	case kind.ComparisonAbove:
		holds = low > value
	case kind.ComparisonAtLeast:
		holds = low >= value
	case kind.ComparisonBelow:
		holds, shown = high < value, high
	case kind.ComparisonAtMost:
		holds, shown = high <= value, high
	}
	return fmt.Sprintf("%.0f %% of its %s", shown, words[*rule.Metric]), holds
}

var words = map[kind.AlertMetric]string{
	kind.AlertMetricCPU: "processor", kind.AlertMetricMemory: "memory", kind.AlertMetricDisk: "disk space",
}

func keys(m map[string]measured) []string {
	out := make([]string, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	return out
}
