package configfile

import (
	"math"
	"regexp"
	"strconv"
)

// shape is what kind of value stands somewhere.
type shape int

const (
	unknown shape = iota // nothing, or nothing that says what it should be
	textual
	numeric
	boolean
)

// number is what every format takes for a number.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// fit says as what a value is written in the place of one of a shape, and how: a number stays a number when the new value
// is one, a text stays a text whatever it looks like, and where nothing says what it should be the value's looks decide.
func fit(value string, old shape) (shape, string) {
	isBool := value == "true" || value == "false"
	switch old {
	case textual:
		return textual, value
	case boolean:
		switch {
		case isBool:
			return boolean, value
		case value == "1":
			return boolean, "true"
		case value == "0":
			return boolean, "false"
		}
	case numeric, unknown:
		if isBool {
			return boolean, value
		}
	}
	if isNumber(value) {
		return numeric, value
	}
	return textual, value
}

// isNumber reports whether a value is a number that every reader reads as the same.
func isNumber(value string) bool {
	if !number.MatchString(value) || value == "-0" {
		return false
	}
	f, err := strconv.ParseFloat(value, 64)
	return err == nil && math.Abs(f) < 1<<53
}
