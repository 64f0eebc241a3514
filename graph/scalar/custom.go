package scalar

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// layout is RFC 3339 with microseconds, which is what the database keeps.
const layout = "2006-01-02T15:04:05.999999Z"

// MarshalTime writes a Time. The zero time, which stands for none, is null.
func MarshalTime(t time.Time) graphql.Marshaler {
	if t.IsZero() {
		return graphql.Null
	}
	return write(`"` + t.UTC().Format(layout) + `"`)
}

// UnmarshalTime reads a Time: RFC 3339 with any offset; what is finer than a microsecond is cut off.
func UnmarshalTime(v any) (time.Time, error) {
	if s, ok := v.(string); ok && len(s) <= 64 {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, refuse("This must be a time such as 2026-01-31T18:30:00Z (RFC 3339).")
}

// MarshalBytes writes a count of bytes.
func MarshalBytes(n int64) graphql.Marshaler { return write(strconv.FormatInt(n, 10)) }

// UnmarshalBytes reads a count of bytes: a whole number from 0 to 2^53.
func UnmarshalBytes(v any) (int64, error) {
	n, ok := whole(v)
	if !ok || n < 0 || n > 1<<53 {
		return 0, refuse("This must be a count of bytes: a whole number, not negative and at most 2^53.")
	}
	return n, nil
}

// MarshalSeq writes the number of a console line.
func MarshalSeq(n uint64) graphql.Marshaler { return write(`"` + strconv.FormatUint(n, 10) + `"`) }

// UnmarshalSeq reads the number of a console line: decimal digits in a string.
func UnmarshalSeq(v any) (uint64, error) {
	if s, ok := v.(string); ok && len(s) <= 20 && !strings.HasPrefix(s, "+") {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil && n <= math.MaxInt64 {
			return n, nil
		}
	}
	return 0, refuse("This must be the number of a console line: decimal digits in a string, such as \"1234\".")
}

// MarshalDuration writes a Duration in hours, minutes and seconds: days and longer have no fixed length everywhere.
func MarshalDuration(d time.Duration) graphql.Marshaler { return write(`"` + formatDuration(d) + `"`) }

// UnmarshalDuration reads a Duration: ISO 8601 with weeks, days, hours, minutes and seconds, a day being 24 hours.
func UnmarshalDuration(v any) (time.Duration, error) {
	if s, ok := v.(string); ok && len(s) <= 64 {
		if d, ok := parseDuration(s); ok {
			return d, nil
		}
	}
	return 0, refuse("This must be a length of time such as PT1H30M or P2D (ISO 8601).")
}

func formatDuration(d time.Duration) string {
	var b strings.Builder
	left := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		left = -left
	}
	b.WriteString("PT")
	if h := left / uint64(time.Hour); h > 0 {
		b.WriteString(strconv.FormatUint(h, 10) + "H")
		left %= uint64(time.Hour)
	}
	if m := left / uint64(time.Minute); m > 0 {
		b.WriteString(strconv.FormatUint(m, 10) + "M")
		left %= uint64(time.Minute)
	}
	seconds, fraction := left/uint64(time.Second), left%uint64(time.Second)
	switch {
	case fraction > 0:
		digits := strconv.FormatUint(fraction+uint64(time.Second), 10)[1:]
		b.WriteString(strconv.FormatUint(seconds, 10) + "." + strings.TrimRight(digits, "0") + "S")
	case seconds > 0, d > -time.Second && d < time.Second:
		b.WriteString(strconv.FormatUint(seconds, 10) + "S")
	case strings.HasSuffix(b.String(), "T"):
		b.WriteString("0S")
	}
	return b.String()
}

// units are the designators of a duration in their order; those of the time follow a T.
var units = []struct {
	designator byte
	clock      bool
	length     time.Duration
}{
	{'W', false, 7 * 24 * time.Hour},
	{'D', false, 24 * time.Hour},
	{'H', true, time.Hour},
	{'M', true, time.Minute},
	{'S', true, time.Second},
}

func parseDuration(s string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(s, "-")
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" || strings.HasSuffix(s, "T") {
		return 0, false
	}
	var sum float64
	var exact time.Duration
	clock := false
	for next := 0; s != ""; {
		if !clock && s[0] == 'T' {
			clock, s = true, s[1:]
		}
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
			n++
		}
		if n == 0 || n == len(s) {
			return 0, false
		}
		number, designator := s[:n], s[n]
		for next < len(units) && (units[next].designator != designator || units[next].clock != clock) {
			next++
		}
		if next == len(units) {
			return 0, false
		}
		part, ok := parsePart(number, units[next].length)
		if !ok {
			return 0, false
		}
		sum += float64(part)
		exact += part
		next, s = next+1, s[n+1:]
	}
	if sum > math.MaxInt64/2 {
		return 0, false
	}
	if negative {
		exact = -exact
	}
	return exact, true
}

// parsePart multiplies a number by a unit. Only seconds may have a fraction.
func parsePart(number string, unit time.Duration) (time.Duration, bool) {
	digits, fraction, broken := strings.Cut(number, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(math.MaxInt64/2/unit) {
		return 0, false
	}
	part := time.Duration(n) * unit
	if !broken {
		return part, true
	}
	if unit != time.Second || fraction == "" || len(fraction) > 9 {
		return 0, false
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, false
	}
	return part + time.Duration(nanos), true
}
