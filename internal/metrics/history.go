package metrics

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent/nodemetrics"
	"github.com/catalyst-panel/catalyst/ent/servermetrics"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// DefaultPoints is how many points a query gets without asking.
	DefaultPoints = 300
	// MaxPoints is how many it gets at most.
	MaxPoints = 2000
	// defaultSpan is the time that a query covers when it does not say since when.
	defaultSpan = 24 * time.Hour
	// sampling is the time between two raw points.
	sampling = 30 * time.Second
)

// Values are what is measured.
type Values struct {
	// CPUPercent is in percent of one core.
	CPUPercent             float64
	MemoryBytes, DiskBytes int64
	// NetworkRxBytes and NetworkTxBytes count since the start.
	NetworkRxBytes, NetworkTxBytes int64
	Processes                      int
}

// Point is what was measured in a stretch of time.
type Point struct {
	// At is the beginning of the stretch, Length how long it is.
	At     time.Time
	Length time.Duration
	// Samples is how many samples there are of it.
	Samples          int
	Average, Maximum Values
}

// Range says which points are wanted. Nil is the default: the last 24 hours, up to now, in the resolution that fits, 300
// points.
type Range struct {
	From, To   *time.Time
	Resolution *kind.MetricsResolution
	MaxPoints  *int
}

// span is a complete and checked Range.
type span struct {
	from, to   time.Time
	resolution kind.MetricsResolution
	points     int
}

// lengths is how long a point of each resolution is.
var lengths = map[kind.MetricsResolution]time.Duration{
	kind.MetricsResolutionRaw: sampling, kind.MetricsResolutionHourly: time.Hour, kind.MetricsResolutionDaily: 24 * time.Hour,
}

// complete fills in what a range leaves open.
func (s *Service) complete(r Range, now time.Time) (span, error) {
	out := span{to: now, points: DefaultPoints, resolution: kind.MetricsResolutionAuto}
	if r.To != nil {
		out.to = *r.To
	}
	out.from = out.to.Add(-defaultSpan)
	if r.From != nil {
		out.from = *r.From
	}
	if r.Resolution != nil {
		out.resolution = *r.Resolution
	}
	if r.MaxPoints != nil {
		out.points = *r.MaxPoints
	}
	switch {
	case !out.from.Before(out.to):
		return out, fault.Input("from", "The time must begin before it ends.")
	case out.points < 1 || out.points > MaxPoints:
		return out, fault.Input("maxPoints", "Ask for 1 to %d points.", MaxPoints)
	}
	if out.resolution == kind.MetricsResolutionAuto {
		out.resolution = s.fitting(out, now)
	}
	// Nothing is older than what is kept, and a longer time only makes the points coarser.
	if oldest := now.Add(-s.kept(out.resolution) - lengths[out.resolution]); out.from.Before(oldest) && oldest.Before(out.to) {
		out.from = oldest
	}
	return out, nil
}

func (s *Service) kept(r kind.MetricsResolution) time.Duration {
	keep := s.Retention.complete()
	switch r {
	case kind.MetricsResolutionRaw, kind.MetricsResolutionAuto:
		return keep.Raw
	case kind.MetricsResolutionHourly:
		return keep.Hourly
	case kind.MetricsResolutionDaily:
	}
	return keep.Daily
}

// fitting returns the coarsest resolution that still gives every point something of its own, and has points for the
// whole time.
func (s *Service) fitting(w span, now time.Time) kind.MetricsResolution {
	each := w.to.Sub(w.from) / time.Duration(w.points)
	switch age := now.Sub(w.from); {
	case age > s.kept(kind.MetricsResolutionHourly), each >= lengths[kind.MetricsResolutionDaily]:
		return kind.MetricsResolutionDaily
	case age > s.kept(kind.MetricsResolutionRaw), each >= lengths[kind.MetricsResolutionHourly]:
		return kind.MetricsResolutionHourly
	}
	return kind.MetricsResolutionRaw
}

// row is a stored point.
type row struct {
	At                time.Time `json:"at"`
	Samples           int       `json:"samples"`
	CPUPercentAvg     float64   `json:"cpu_percent_avg"`
	CPUPercentMax     float64   `json:"cpu_percent_max"`
	MemoryBytesAvg    int64     `json:"memory_bytes_avg"`
	MemoryBytesMax    int64     `json:"memory_bytes_max"`
	NetworkRxBytesAvg int64     `json:"network_rx_bytes_avg"`
	NetworkRxBytesMax int64     `json:"network_rx_bytes_max"`
	NetworkTxBytesAvg int64     `json:"network_tx_bytes_avg"`
	NetworkTxBytesMax int64     `json:"network_tx_bytes_max"`
	DiskBytesAvg      int64     `json:"disk_bytes_avg"`
	DiskBytesMax      int64     `json:"disk_bytes_max"`
	ProcessesAvg      int       `json:"processes_avg"`
	ProcessesMax      int       `json:"processes_max"`
}

// columns are those of a row.
var columns = []string{
	"at", "samples", "cpu_percent_avg", "cpu_percent_max", "memory_bytes_avg", "memory_bytes_max", "network_rx_bytes_avg",
	"network_rx_bytes_max", "network_tx_bytes_avg", "network_tx_bytes_max", "disk_bytes_avg", "disk_bytes_max", "processes_avg",
	"processes_max",
}

// ServerHistory returns what a server used over a time. It needs server.read. Times in which it did not run have no points.
func (s *Service) ServerHistory(ctx context.Context, serverID string, r Range) ([]Point, error) {
	if err := access.Check(ctx, s.Client, access.ServerRead, access.On(serverID)); err != nil {
		return nil, err
	}
	w, err := s.complete(r, time.Now())
	if err != nil {
		return nil, err
	}
	var rows []row
	err = s.Client.ServerMetrics.Query().Where(servermetrics.ServerID(serverID), servermetrics.ResolutionEQ(w.resolution),
		servermetrics.AtGTE(w.from), servermetrics.AtLT(w.to)).Order(servermetrics.ByAt()).Select(columns...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read metrics of a server: %w", err)
	}
	return w.gather(rows), nil
}

// NodeHistory returns what a node used over a time. It needs node.read.
func (s *Service) NodeHistory(ctx context.Context, nodeID string, r Range) ([]Point, error) {
	if err := access.Check(ctx, s.Client, access.NodeRead, access.On(nodeID)); err != nil {
		return nil, err
	}
	w, err := s.complete(r, time.Now())
	if err != nil {
		return nil, err
	}
	var rows []row
	err = s.Client.NodeMetrics.Query().Where(nodemetrics.NodeID(nodeID), nodemetrics.ResolutionEQ(w.resolution),
		nodemetrics.AtGTE(w.from), nodemetrics.AtLT(w.to)).Order(nodemetrics.ByAt()).Select(columns...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read metrics of a node: %w", err)
	}
	return w.gather(rows), nil
}

// gather puts rows together into as many points as are wanted, all of one length. Where there are no rows, there are no
// points: a gap stays a gap.
func (w span) gather(rows []row) []Point {
	length := lengths[w.resolution]
	begin := w.from.UTC().Truncate(length)
	full := int64(length) * int64(w.points)
	if wanted := int64(w.to.Sub(begin)); wanted > full {
		length = time.Duration(int64(length) * ((wanted + full - 1) / full))
	}
	points := []Point{}
	for _, r := range rows {
		at := begin.Add(r.At.Sub(begin).Truncate(length))
		if n := len(points); n == 0 || !points[n-1].At.Equal(at) {
			points = append(points, Point{At: at, Length: length})
		}
		points[len(points)-1].add(r)
	}
	return points
}

// add takes a row into a point.
func (p *Point) add(r row) {
	before, more := int64(p.Samples), int64(r.Samples)
	total := before + more
	mean := func(a, b int64) int64 { return (a*before + b*more) / total }
	p.Samples = int(total)
	p.Average = Values{
		CPUPercent:  (p.Average.CPUPercent*float64(before) + r.CPUPercentAvg*float64(more)) / float64(total),
		MemoryBytes: mean(p.Average.MemoryBytes, r.MemoryBytesAvg), DiskBytes: mean(p.Average.DiskBytes, r.DiskBytesAvg),
		NetworkRxBytes: mean(p.Average.NetworkRxBytes, r.NetworkRxBytesAvg),
		NetworkTxBytes: mean(p.Average.NetworkTxBytes, r.NetworkTxBytesAvg),
		Processes:      int(mean(int64(p.Average.Processes), int64(r.ProcessesAvg))),
	}
	p.Maximum = Values{
		CPUPercent:  max(p.Maximum.CPUPercent, r.CPUPercentMax),
		MemoryBytes: max(p.Maximum.MemoryBytes, r.MemoryBytesMax), DiskBytes: max(p.Maximum.DiskBytes, r.DiskBytesMax),
		NetworkRxBytes: max(p.Maximum.NetworkRxBytes, r.NetworkRxBytesMax),
		NetworkTxBytes: max(p.Maximum.NetworkTxBytes, r.NetworkTxBytesMax),
		Processes:      max(p.Maximum.Processes, r.ProcessesMax),
	}
}
