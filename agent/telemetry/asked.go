package telemetry

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// asked collects what is asked for when the page is shown.
type asked struct{ config Config }

var (
	servers        = desc("servers", "Servers on this node by state.", "state")
	connected      = desc("link_connected", "1 while the node is connected to the panel.")
	connections    = desc("link_connections_total", "Connections to the panel since the start.")
	waiting        = desc("events_waiting", "Events that the panel has not acknowledged.")
	waitingBytes   = desc("events_bytes", "Size of the spool of events on the disk.")
	droppedEvents  = desc("events_dropped_total", "Events that were dropped since the start, because the spool was full.")
	nodeCPU        = desc("node_cpu_percent", "CPU use of the node, in percent of one core.")
	nodeMemory     = desc("node_memory_bytes", "Memory of the node that is in use.")
	nodeMemorySize = desc("node_memory_limit_bytes", "Memory of the node.")
	nodeDisk       = desc("node_disk_bytes", "Space in use on the disk that holds the servers.")
	nodeDiskSize   = desc("node_disk_limit_bytes", "Size of the disk that holds the servers.")
)

var all = []*prometheus.Desc{
	servers, connected, connections, waiting, waitingBytes, droppedEvents, nodeCPU, nodeMemory, nodeMemorySize, nodeDisk, nodeDiskSize,
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe implements prometheus.Collector.
func (*asked) Describe(out chan<- *prometheus.Desc) {
	for _, d := range all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (a *asked) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	counter := func(d *prometheus.Desc, n uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	for state, n := range a.states() {
		gauge(servers, float64(n), state)
	}
	up := 0.0
	if a.config.Link.Connected() {
		up = 1
	}
	gauge(connected, up)
	counter(connections, a.config.Link.Connections())
	backlog := a.config.Backlog()
	gauge(waiting, float64(backlog.Events))
	gauge(waitingBytes, float64(backlog.Bytes))
	counter(droppedEvents, backlog.Dropped)
	ctx, cancel := context.WithTimeout(context.Background(), patience) //nolint:forbidigo // the library gives a collector no context
	defer cancel()
	node := a.config.Node(ctx)
	gauge(nodeCPU, node.GetCpuPercent())
	gauge(nodeMemory, float64(node.GetMemoryBytes()))
	gauge(nodeMemorySize, float64(node.GetMemoryLimit()))
	gauge(nodeDisk, float64(node.GetDiskBytes()))
	gauge(nodeDiskSize, float64(node.GetDiskLimit()))
}

// states counts the servers of every state, those that no server is in included.
func (a *asked) states() map[string]int {
	count := make(map[string]int)
	for _, s := range kind.ServerState("").Values() {
		count[s] = 0
	}
	for _, o := range a.config.Servers() {
		count[strings.TrimPrefix(o.GetState().String(), "STATE_")]++
	}
	return count
}
