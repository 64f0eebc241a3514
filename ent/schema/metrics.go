package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// metrics returns the columns that the metrics of servers and nodes have in common: the resolution, the time and the
// average and the maximum of each measure over the time that the point stands for.
func metrics() []ent.Field {
	return []ent.Field{
		field.Enum("resolution").GoType(kind.MetricsResolution("")).Immutable().
			Comment("Length of time that the point stands for."),
		field.Time("at").Immutable().
			Comment("Beginning of that time."),
		field.Int("samples").Default(1).Positive().
			Comment("Number of samples behind the point."),
		field.Float("cpu_percent_avg").Default(0).
			Comment("Average CPU in use, in percent of one core."),
		field.Float("cpu_percent_max").Default(0).
			Comment("Highest CPU in use, in percent of one core."),
		field.Int64("memory_bytes_avg").Default(0).
			Comment("Average memory in use."),
		field.Int64("memory_bytes_max").Default(0).
			Comment("Highest memory in use."),
		field.Int64("network_rx_bytes_avg").Default(0).
			Comment("Average of the counter of received bytes."),
		field.Int64("network_rx_bytes_max").Default(0).
			Comment("Highest counter of received bytes."),
		field.Int64("network_tx_bytes_avg").Default(0).
			Comment("Average of the counter of sent bytes."),
		field.Int64("network_tx_bytes_max").Default(0).
			Comment("Highest counter of sent bytes."),
		field.Int64("disk_bytes_avg").Default(0).
			Comment("Average disk in use."),
		field.Int64("disk_bytes_max").Default(0).
			Comment("Highest disk in use."),
		field.Int("processes_avg").Default(0).
			Comment("Average number of processes."),
		field.Int("processes_max").Default(0).
			Comment("Highest number of processes."),
	}
}
