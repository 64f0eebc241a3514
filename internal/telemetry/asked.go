package telemetry

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// asked collects what is asked for when the page is shown.
type asked struct{ config Config }

var (
	connections   = desc("connections", "Open WebSockets and event streams.")
	subscriptions = desc("subscriptions", "Open subscriptions, by field.", "field")
	links         = desc("links", "Nodes that are connected to this panel.")
	published     = desc("bus_published_total", "Events sent to the bus.")
	received      = desc("bus_received_total", "Events received from the bus.")
	dropped       = desc("bus_dropped_total", "Events that a reader's full buffer has cost that reader.")
	readers       = desc("bus_readers", "Local readers of the bus.")
	servers       = desc("servers", "Servers by state.", "state")
	nodes         = desc("nodes", "Nodes by whether they are online.", "online")
	openAlerts    = desc("alerts_open", "Alerts that are open.")
	users         = desc("users", "Accounts.")
	taskRuns      = desc("task_runs", "Runs of tasks that are kept, by state.", "state")
	tasksOverdue  = desc("tasks_overdue", "Tasks that have been due for more than a minute and were not begun.")
	deliveries    = desc("webhook_deliveries", "Deliveries of webhooks that are kept, by state.", "state")
)

var all = []*prometheus.Desc{
	connections, subscriptions, links, published, received, dropped, readers, servers, nodes, openAlerts, users, taskRuns, tasksOverdue,
	deliveries,
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
	a.collectOwn(out)
	ctx, cancel := context.WithTimeout(context.Background(), patience) //nolint:forbidigo // the library gives a collector no context
	defer cancel()
	stored, err := a.config.Inventory(ctx)
	if err != nil { // the page shows what there is; readiness says that the database is away
		a.config.Logger.WarnContext(ctx, "could not count for the metrics", slog.Any("error", err))
		return
	}
	gauges(out, servers, stored.Servers)
	gauges(out, nodes, map[string]int{"true": stored.Nodes - stored.Offline, "false": stored.Offline})
	gauge(out, openAlerts, stored.OpenAlerts)
	gauge(out, users, stored.Users)
	gauges(out, taskRuns, stored.TaskRuns)
	gauge(out, tasksOverdue, stored.TasksOverdue)
	gauges(out, deliveries, stored.Deliveries)
}

// collectOwn shows what this process itself knows.
func (a *asked) collectOwn(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	gauge(out, connections, a.config.Connections())
	gauges(out, subscriptions, a.config.Subscriptions())
	gauge(out, links, a.config.Links())
	stats := a.config.Bus()
	counter(published, stats.Published)
	counter(received, stats.Received)
	counter(dropped, stats.Dropped)
	gauge(out, readers, stats.Subscriptions)
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, n int, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
}

func gauges(out chan<- prometheus.Metric, d *prometheus.Desc, by map[string]int) {
	for label, n := range by {
		gauge(out, d, n, label)
	}
}
