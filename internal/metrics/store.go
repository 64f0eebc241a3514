package metrics

import (
	"context"
	"fmt"
	"math"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/nodemetrics"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/servermetrics"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Store keeps what a node and its servers used at one moment. What is stored already stays as it is, samples of servers
// that are not the node's are passed over, and a sample of an hour that is over brings that hour's sums up to date: a
// panel that was away gets its samples late.
func (s *Service) Store(ctx context.Context, nodeID string, at time.Time, u *protocol.Usage) error {
	ctx = viewer.System(ctx, nil, "store samples of a node")
	at = at.UTC().Truncate(time.Second)
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		own, err := ownSamples(ctx, t, nodeID, u.GetServers())
		if err != nil {
			return err
		}
		if err := storeServers(ctx, t, at, own); err != nil {
			return err
		}
		return storeNode(ctx, t, nodeID, at, u.GetNode())
	})
	if err != nil {
		return fmt.Errorf("store samples: %w", err)
	}
	if hour := at.Truncate(time.Hour); hour.Before(time.Now().UTC().Truncate(time.Hour)) {
		return s.condense(ctx, hourly, hour)
	}
	return nil
}

// ownSamples returns the samples of servers that are the node's, one each.
func ownSamples(ctx context.Context, t *ent.Tx, nodeID string, samples []*protocol.StatsSample) (map[string]*protocol.StatsSample, error) {
	own := make(map[string]*protocol.StatsSample, len(samples))
	if len(samples) == 0 {
		return own, nil
	}
	ids, err := t.Server.Query().Where(server.NodeID(nodeID), server.DeletedAtIsNil()).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the node's servers: %w", err)
	}
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	for _, sample := range samples {
		if known[sample.GetServerId()] {
			own[sample.GetServerId()] = sample
		}
	}
	return own, nil
}

// rowsPerInsert keeps a statement under SQLite's 32,766 parameters.
const rowsPerInsert = 1000

func storeServers(ctx context.Context, t *ent.Tx, at time.Time, samples map[string]*protocol.StatsSample) error {
	var rows []*ent.ServerMetricsCreate
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := t.ServerMetrics.CreateBulk(rows...).OnConflict(sql.DoNothing()).Exec(ctx)
		rows = nil
		return ignoreNothing(err)
	}
	for id, u := range samples {
		v := valuesOf(u)
		rows = append(rows, t.ServerMetrics.Create().SetServerID(id).SetResolution(kind.MetricsResolutionRaw).SetAt(at).
			SetCPUPercentAvg(v.CPUPercent).SetCPUPercentMax(v.CPUPercent).
			SetMemoryBytesAvg(v.MemoryBytes).SetMemoryBytesMax(v.MemoryBytes).
			SetNetworkRxBytesAvg(v.NetworkRxBytes).SetNetworkRxBytesMax(v.NetworkRxBytes).
			SetNetworkTxBytesAvg(v.NetworkTxBytes).SetNetworkTxBytesMax(v.NetworkTxBytes).
			SetDiskBytesAvg(v.DiskBytes).SetDiskBytesMax(v.DiskBytes).
			SetProcessesAvg(v.Processes).SetProcessesMax(v.Processes))
		if len(rows) == rowsPerInsert {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func storeNode(ctx context.Context, t *ent.Tx, nodeID string, at time.Time, u *protocol.StatsSample) error {
	if u == nil {
		return nil
	}
	v := valuesOf(u)
	err := t.NodeMetrics.Create().SetNodeID(nodeID).SetResolution(kind.MetricsResolutionRaw).SetAt(at).
		SetCPUPercentAvg(v.CPUPercent).SetCPUPercentMax(v.CPUPercent).
		SetMemoryBytesAvg(v.MemoryBytes).SetMemoryBytesMax(v.MemoryBytes).
		SetNetworkRxBytesAvg(v.NetworkRxBytes).SetNetworkRxBytesMax(v.NetworkRxBytes).
		SetNetworkTxBytesAvg(v.NetworkTxBytes).SetNetworkTxBytesMax(v.NetworkTxBytes).
		SetDiskBytesAvg(v.DiskBytes).SetDiskBytesMax(v.DiskBytes).
		SetProcessesAvg(v.Processes).SetProcessesMax(v.Processes).
		OnConflictColumns(nodemetrics.FieldNodeID, nodemetrics.FieldResolution, nodemetrics.FieldAt).Ignore().Exec(ctx)
	return ignoreNothing(err)
}

// ignoreNothing takes it for success that a statement which may insert nothing has inserted nothing.
func ignoreNothing(err error) error {
	if err == nil || ent.IsNotFound(err) || isNoRows(err) {
		return nil
	}
	return fmt.Errorf("insert samples: %w", err)
}

// valuesOf makes a node's numbers ones that databases and JSON can hold.
func valuesOf(u *protocol.StatsSample) Values {
	cpu := u.GetCpuPercent()
	if math.IsNaN(cpu) || math.IsInf(cpu, 0) || cpu < 0 {
		cpu = 0
	}
	return Values{
		CPUPercent: cpu, MemoryBytes: max(0, u.GetMemoryBytes()), NetworkRxBytes: max(0, u.GetNetworkRxBytes()),
		NetworkTxBytes: max(0, u.GetNetworkTxBytes()), DiskBytes: max(0, u.GetDiskBytes()), Processes: int(max(0, u.GetProcesses())),
	}
}

// tables are the two series.
var tables = []struct{ name, owner string }{
	{servermetrics.Table, servermetrics.FieldServerID}, {nodemetrics.Table, nodemetrics.FieldNodeID},
}
