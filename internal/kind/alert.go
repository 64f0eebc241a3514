package kind

import "io"

// AlertType is what an alert is about.
type AlertType string

// The values of AlertType.
const (
	AlertTypeResourceThreshold AlertType = "RESOURCE_THRESHOLD"
	AlertTypeNodeOffline       AlertType = "NODE_OFFLINE"
	AlertTypeServerCrashed     AlertType = "SERVER_CRASHED"
)

// Values lists every AlertType for the database's and the API's enum.
func (AlertType) Values() []string {
	return values(AlertTypeResourceThreshold, AlertTypeNodeOffline, AlertTypeServerCrashed)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v AlertType) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *AlertType) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// AlertSeverity is how urgent an alert is.
type AlertSeverity string

// The values of AlertSeverity.
const (
	AlertSeverityInfo     AlertSeverity = "INFO"
	AlertSeverityWarning  AlertSeverity = "WARNING"
	AlertSeverityCritical AlertSeverity = "CRITICAL"
)

// Values lists every AlertSeverity for the database's and the API's enum.
func (AlertSeverity) Values() []string {
	return values(AlertSeverityInfo, AlertSeverityWarning, AlertSeverityCritical)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v AlertSeverity) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *AlertSeverity) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// AlertMetric is the resource that a threshold rule watches.
type AlertMetric string

// The values of AlertMetric.
const (
	AlertMetricCPU    AlertMetric = "CPU"
	AlertMetricMemory AlertMetric = "MEMORY"
	AlertMetricDisk   AlertMetric = "DISK"
)

// Values lists every AlertMetric for the database's and the API's enum.
func (AlertMetric) Values() []string {
	return values(AlertMetricCPU, AlertMetricMemory, AlertMetricDisk)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v AlertMetric) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *AlertMetric) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// Comparison is how a metric is compared with a threshold.
type Comparison string

// The values of Comparison.
const (
	ComparisonAbove   Comparison = "ABOVE"
	ComparisonAtLeast Comparison = "AT_LEAST"
	ComparisonBelow   Comparison = "BELOW"
	ComparisonAtMost  Comparison = "AT_MOST"
)

// Values lists every Comparison for the database's and the API's enum.
func (Comparison) Values() []string {
	return values(ComparisonAbove, ComparisonAtLeast, ComparisonBelow, ComparisonAtMost)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v Comparison) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *Comparison) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// WebhookFormat is the shape of a webhook's body.
type WebhookFormat string

// The values of WebhookFormat.
const (
	WebhookFormatJSON    WebhookFormat = "JSON"
	WebhookFormatDiscord WebhookFormat = "DISCORD"
	WebhookFormatSlack   WebhookFormat = "SLACK"
)

// Values lists every WebhookFormat for the database's and the API's enum.
func (WebhookFormat) Values() []string {
	return values(WebhookFormatJSON, WebhookFormatDiscord, WebhookFormatSlack)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v WebhookFormat) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *WebhookFormat) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// DeliveryState is the state of one webhook delivery.
type DeliveryState string

// The values of DeliveryState.
const (
	DeliveryStatePending   DeliveryState = "PENDING"
	DeliveryStateSucceeded DeliveryState = "SUCCEEDED"
	DeliveryStateFailed    DeliveryState = "FAILED"
	DeliveryStateDead      DeliveryState = "DEAD"
)

// Values lists every DeliveryState for the database's and the API's enum.
func (DeliveryState) Values() []string {
	return values(DeliveryStatePending, DeliveryStateSucceeded, DeliveryStateFailed, DeliveryStateDead)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v DeliveryState) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *DeliveryState) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// MetricsResolution is how coarse stored metrics are.
type MetricsResolution string

// The values of MetricsResolution.
const (
	MetricsResolutionRaw    MetricsResolution = "RAW"
	MetricsResolutionHourly MetricsResolution = "HOURLY"
	MetricsResolutionDaily  MetricsResolution = "DAILY"
	// MetricsResolutionAuto is never stored: it asks for the one that fits.
	MetricsResolutionAuto MetricsResolution = "AUTO"
)

// Values lists every MetricsResolution for the database's and the API's enum.
func (MetricsResolution) Values() []string {
	return values(MetricsResolutionRaw, MetricsResolutionHourly, MetricsResolutionDaily)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v MetricsResolution) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *MetricsResolution) UnmarshalGQL(in any) error {
	return unmarshal(v, in, append(v.Values(), string(MetricsResolutionAuto)))
}
