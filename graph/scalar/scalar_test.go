package scalar_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/graph/scalar"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

func text(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

func untyped[T any](f func(any) (T, error)) func(any) (any, error) {
	return func(v any) (any, error) {
		got, err := f(v)
		return got, err
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 1, 31, 18, 30, 0, 123456000, time.UTC)
	tests := []struct {
		name string
		read func(any) (any, error)
		in   any
		want any // nil: refused
	}{
		{"int", untyped(scalar.UnmarshalInt), json.Number("7"), 7},
		{"int written as float", untyped(scalar.UnmarshalInt), json.Number("7.0"), 7},
		{"int in quotes", untyped(scalar.UnmarshalInt), "7", nil},
		{"int too large", untyped(scalar.UnmarshalInt), json.Number("2147483648"), nil},
		{"int beyond 64 bits", untyped(scalar.UnmarshalInt), json.Number("1e400"), nil},
		{"int with fraction", untyped(scalar.UnmarshalInt), 1.5, nil},
		{"int from boolean", untyped(scalar.UnmarshalInt), true, nil},
		{"count", untyped(scalar.UnmarshalUint64), int64(7), uint64(7)},
		{"negative count", untyped(scalar.UnmarshalUint64), int64(-7), nil},
		{"float", untyped(scalar.UnmarshalFloat), json.Number("1.5"), 1.5},
		{"float from int", untyped(scalar.UnmarshalFloat), int64(2), 2.0},
		{"float in quotes", untyped(scalar.UnmarshalFloat), "1.5", nil},
		{"float too large", untyped(scalar.UnmarshalFloat), json.Number("1e400"), nil},
		{"boolean", untyped(scalar.UnmarshalBoolean), true, true},
		{"boolean in quotes", untyped(scalar.UnmarshalBoolean), "true", nil},
		{"string", untyped(scalar.UnmarshalString), "x", "x"},
		{"string from number", untyped(scalar.UnmarshalString), json.Number("1"), nil},
		{"id", untyped(scalar.UnmarshalID), "srv_1", "srv_1"},
		{"id from number", untyped(scalar.UnmarshalID), json.Number("12"), "12"},
		{"id from boolean", untyped(scalar.UnmarshalID), true, nil},
		{"time", untyped(scalar.UnmarshalTime), "2026-01-31T19:30:00.1234567+01:00", moment},
		{"time without zone", untyped(scalar.UnmarshalTime), "2026-01-31T19:30:00", nil},
		{"bytes", untyped(scalar.UnmarshalBytes), json.Number("9007199254740992"), int64(1 << 53)},
		{"bytes too large", untyped(scalar.UnmarshalBytes), json.Number("9007199254740993"), nil},
		{"negative bytes", untyped(scalar.UnmarshalBytes), json.Number("-1"), nil},
		{"seq", untyped(scalar.UnmarshalSeq), "9223372036854775807", uint64(math.MaxInt64)},
		{"seq as number", untyped(scalar.UnmarshalSeq), json.Number("1"), nil},
		{"seq too large", untyped(scalar.UnmarshalSeq), "9223372036854775808", nil},
		{"seq signed", untyped(scalar.UnmarshalSeq), "+1", nil},
		{"duration", untyped(scalar.UnmarshalDuration), "P1DT2H3M4.5S", 26*time.Hour + 3*time.Minute + 4500*time.Millisecond},
		{"weeks", untyped(scalar.UnmarshalDuration), "P2W", 14 * 24 * time.Hour},
		{"negative duration", untyped(scalar.UnmarshalDuration), "-PT5S", -5 * time.Second},
		{"duration of months", untyped(scalar.UnmarshalDuration), "P1M", nil},
		{"duration without a part", untyped(scalar.UnmarshalDuration), "PT", nil},
		{"duration in Go's words", untyped(scalar.UnmarshalDuration), "5s", nil},
		{"duration out of order", untyped(scalar.UnmarshalDuration), "PT1S2H", nil},
		{"duration too long", untyped(scalar.UnmarshalDuration), "PT99999999999999999H", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.read(tt.in)
			if tt.want == nil {
				if fault.CodeOf(err) != fault.BadUserInput {
					t.Errorf("got %v and %v, want BAD_USER_INPUT", got, err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %v and %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, got, want string }{
		{"time", text(scalar.MarshalTime(time.Date(2026, 1, 31, 19, 30, 0, 123456789, time.FixedZone("", 3600)))), `"2026-01-31T18:30:00.123456Z"`},
		{"whole second", text(scalar.MarshalTime(time.Date(2026, 1, 31, 18, 30, 0, 0, time.UTC))), `"2026-01-31T18:30:00Z"`},
		{"no time", text(scalar.MarshalTime(time.Time{})), `null`},
		{"bytes", text(scalar.MarshalBytes(1 << 40)), `1099511627776`},
		{"seq", text(scalar.MarshalSeq(math.MaxUint64)), `"18446744073709551615"`},
		{"no duration", text(scalar.MarshalDuration(0)), `"PT0S"`},
		{"duration", text(scalar.MarshalDuration(26*time.Hour + 3*time.Minute + 1500*time.Millisecond)), `"PT26H3M1.5S"`},
		{"hours", text(scalar.MarshalDuration(2 * time.Hour)), `"PT2H"`},
		{"smallest duration", text(scalar.MarshalDuration(math.MinInt64)), `"-PT2562047H47M16.854775808S"`},
		{"large count", text(scalar.MarshalUint64(math.MaxUint64)), `2147483647`},
		{"not a number", text(scalar.MarshalFloat(math.NaN())), `0`},
		{"string", text(scalar.MarshalString("a\"\n")), `"a\"\n"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT0S", "P1DT2H", "-PT0.5S", "P", "PT1.S", "P1W2D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := scalar.UnmarshalDuration(s)
		if err != nil {
			return
		}
		again, err := scalar.UnmarshalDuration(strings.Trim(text(scalar.MarshalDuration(d)), `"`))
		if err != nil || again != d {
			t.Errorf("%q is %v, but its own text reads as %v (%v)", s, d, again, err)
		}
	})
}
