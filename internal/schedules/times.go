package schedules

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// parser takes the five fields of crontab(5), and @daily and the like.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// times are those at which a task is due.
type times struct {
	schedule cron.Schedule
	zone     *time.Location
}

// parse reads a schedule and its time zone.
func parse(schedule, zone string) (times, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" || zone == "" {
		return times{}, fault.Input("timeZone", "This is no time zone. Use an IANA name, such as Europe/Berlin or UTC.")
	}
	if strings.Contains(schedule, "=") || strings.HasPrefix(strings.TrimSpace(schedule), "@every") {
		return times{}, fault.Input("schedule", "Use five fields: minute, hour, day of the month, month and day of the week, such as 0 4 * * *; or @hourly, @daily, @weekly, @monthly. The time zone is a field of its own.")
	}
	parsed, err := parser.Parse(schedule)
	if err != nil {
		return times{}, fault.Input("schedule", "This is no cron expression (%s). Use five fields: minute, hour, day of the month, month and day of the week, such as 0 4 * * *.", err)
	}
	t := times{parsed, location}
	if t.after(time.Now()).IsZero() {
		return times{}, fault.Input("schedule", "This never comes: look at the day and the month.")
	}
	return t, nil
}

// everyHour is what the parser marks a field with that is a star.
const everyHour = 1 << 63

// after returns the next due time after a moment; the zero time when there is none within five years. A task of every
// hour follows the clock as it runs. One of certain hours is due once a day even when the clocks are changed: a time that
// they leave out comes as much later as they were put forward, one that they repeat counts the first time.
func (t times) after(moment time.Time) time.Time {
	spec, ok := t.schedule.(*cron.SpecSchedule)
	if !ok || spec.Hour&everyHour != 0 {
		if next := t.schedule.Next(moment.In(t.zone)); !next.IsZero() {
			return next.UTC()
		}
		return time.Time{}
	}
	wall := asUTC(moment.In(t.zone))
	for {
		if wall = t.schedule.Next(wall); wall.IsZero() {
			return wall
		}
		if at := t.instant(wall); at.After(moment) {
			return at
		}
	}
}

// asUTC is what clocks show, taken for a time in UTC: there, no hour is left out or repeated.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the clocks of the zone first show a time.
func (t times) instant(wall time.Time) time.Time {
	var earlier time.Time
	for i, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(t.zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if asUTC(at.In(t.zone)).Equal(wall) {
			return at
		}
		if i == 0 {
			earlier = at
		}
	}
	return earlier // they never show it
}
