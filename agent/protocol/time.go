package protocol

import "time"

// The times that a clock may say, however wrong it is. Both databases can keep them, and JSON can show them.
var (
	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
)

// Time returns what a node says of when something was, in microseconds since 1970 by its own clock. That is foreign
// input: what no clock says becomes the present, since a database may refuse it, or be unable to read it again.
func Time(atUs int64) time.Time {
	if atUs < earliest || atUs >= latest {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return time.UnixMicro(atUs).UTC()
}
