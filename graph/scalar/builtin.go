package scalar

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

func refuse(sentence string) error {
	return fault.New(fault.BadUserInput, "%s", sentence)
}

func write(text string) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, text) })
}

// whole returns the whole number that a JSON or GraphQL value is.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		return int64(v), true
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, true
		}
		f, err := v.Float64()
		if err != nil {
			return 0, false
		}
		return whole(f)
	}
	return 0, false
}

// MarshalInt writes an Int.
func MarshalInt(v int) graphql.Marshaler { return write(strconv.Itoa(v)) }

// UnmarshalInt reads an Int: a whole number of 32 bits.
func UnmarshalInt(v any) (int, error) {
	n, ok := whole(v)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, refuse("This must be a whole number between -2147483648 and 2147483647.")
	}
	return int(n), nil
}

// MarshalInt64 writes a count as an Int; one that an Int cannot hold as the nearest that it can.
func MarshalInt64(v int64) graphql.Marshaler {
	return write(strconv.FormatInt(max(math.MinInt32, min(v, math.MaxInt32)), 10))
}

// UnmarshalInt64 reads a count from an Int.
func UnmarshalInt64(v any) (int64, error) {
	n, err := UnmarshalInt(v)
	return int64(n), err
}

// MarshalUint64 writes a count as an Int; one that an Int cannot hold as the largest that it can.
func MarshalUint64(v uint64) graphql.Marshaler {
	return write(strconv.FormatUint(min(v, math.MaxInt32), 10))
}

// UnmarshalUint64 reads a count from an Int.
func UnmarshalUint64(v any) (uint64, error) {
	n, ok := whole(v)
	if !ok || n < 0 || n > math.MaxInt32 {
		return 0, refuse("This must be a whole number between 0 and 2147483647.")
	}
	return uint64(n), nil
}

// MarshalFloat writes a Float; what JSON cannot write becomes 0.
func MarshalFloat(v float64) graphql.Marshaler {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return write(strconv.FormatFloat(v, 'g', -1, 64))
}

// UnmarshalFloat reads a Float: any finite number.
func UnmarshalFloat(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f, nil
		}
	case int, int32, int64:
		n, _ := whole(v)
		return float64(n), nil
	}
	return 0, refuse("This must be a number.")
}

// MarshalBoolean writes a Boolean.
func MarshalBoolean(v bool) graphql.Marshaler { return write(strconv.FormatBool(v)) }

// UnmarshalBoolean reads a Boolean.
func UnmarshalBoolean(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, refuse("This must be true or false.")
}

// MarshalString writes a String.
func MarshalString(v string) graphql.Marshaler { return graphql.MarshalString(v) }

// UnmarshalString reads a String.
func UnmarshalString(v any) (string, error) {
	if s, ok := v.(string); ok {
		return storable(s)
	}
	return "", refuse("This must be a text.")
}

// storable refuses what no text column holds.
func storable(s string) (string, error) {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return "", refuse("A text must be UTF-8 and must not contain NUL.")
	}
	return s, nil
}

// MarshalID writes an ID.
func MarshalID(v string) graphql.Marshaler { return graphql.MarshalString(v) }

// UnmarshalID reads an ID: a text, or a whole number, which stands for its digits.
func UnmarshalID(v any) (string, error) {
	if s, ok := v.(string); ok {
		return storable(s)
	}
	if n, ok := whole(v); ok {
		return strconv.FormatInt(n, 10), nil
	}
	return "", refuse("This must be an identifier.")
}
