package rule

import (
	"encoding/json"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

var (
	onlyDigits = regexp.MustCompile(`^[0-9]+$`)
	hexColor   = regexp.MustCompile(`^#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`)
	uuid       = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	ulid       = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$`)
)

// withArgument are the rules that take an argument.
var withArgument = map[string]func(arg string) (check, error){
	"in": compileIn, "not_in": compileNotIn,
	"regex": matches(true), "not_regex": matches(false),
	"min": size(1, atLeast, "at least %v"), "max": size(1, atMost, "at most %v"), "size": size(1, exactly, "exactly %v"),
	"between": size(2, within, "from %v to %v"),
	"gt":      size(1, above, "more than %v"), "gte": size(1, atLeast, "at least %v"),
	"lt": size(1, below, "less than %v"), "lte": size(1, atMost, "at most %v"),
	"digits":         digits(1, exactly, "have %v digits"),
	"digits_between": digits(2, within, "have %v to %v digits"),
	"min_digits":     digits(1, atLeast, "have at least %v digits"),
	"max_digits":     digits(1, atMost, "have at most %v digits"),
	"decimal":        decimal, "multiple_of": multipleOf,
	"starts_with": affix(strings.HasPrefix, true, "begin with"), "ends_with": affix(strings.HasSuffix, true, "end with"),
	"doesnt_start_with": affix(strings.HasPrefix, false, "not begin with"),
	"doesnt_end_with":   affix(strings.HasSuffix, false, "not end with"),
}

// plain are the rules without an argument; one that is given is passed over, such as the ascii of alpha_dash:ascii. Those
// without a check say nothing about a value that is there.
var plain = map[string]check{
	"required": nil, "nullable": nil, "string": nil, "sometimes": nil, "bail": nil, "present": nil, "filled": nil,
	"integer": must(isInteger, "be a whole number"), "int": must(isInteger, "be a whole number"),
	"numeric":    must(isNumber, "be a number"),
	"boolean":    must(oneOf("true", "false", "1", "0"), "be true, false, 1 or 0"),
	"bool":       must(oneOf("true", "false", "1", "0"), "be true, false, 1 or 0"),
	"accepted":   must(oneOf("yes", "on", "1", "true"), "be yes, on, 1 or true"),
	"declined":   must(oneOf("no", "off", "0", "false"), "be no, off, 0 or false"),
	"alpha":      must(only(""), "consist of letters"),
	"alpha_num":  must(only("0123456789"), "consist of letters and digits"),
	"alpha_dash": must(only("0123456789-_"), "consist of letters, digits, dashes and underscores"),
	"ascii":      must(isASCII, "consist of ASCII characters"),
	"lowercase":  must(func(v string) bool { return v == strings.ToLower(v) }, "be in lower case"),
	"uppercase":  must(func(v string) bool { return v == strings.ToUpper(v) }, "be in upper case"),
	"url":        must(isURL, "be a URL such as https://example.com"),
	"active_url": must(isURL, "be a URL such as https://example.com"),
	"email":      must(isEmail, "be an e-mail address"),
	"ip":         must(isAddress(func(netip.Addr) bool { return true }), "be an IP address"),
	"ipv4":       must(isAddress(netip.Addr.Is4), "be an IPv4 address"),
	"ipv6":       must(isAddress(netip.Addr.Is6), "be an IPv6 address"),
	"mac_address": must(func(v string) bool { _, err := net.ParseMAC(v); return err == nil },
		"be a MAC address"),
	"uuid":      must(uuid.MatchString, "be a UUID"),
	"ulid":      must(ulid.MatchString, "be a ULID"),
	"hex_color": must(hexColor.MatchString, "be a colour such as #ff8800"),
	"json":      must(func(v string) bool { return json.Valid([]byte(v)) }, "be JSON"),
	"date":      must(isDate, "be a date such as 2026-01-31"),
	"timezone":  must(isTimeZone, "be a time zone such as Europe/Berlin"),
}

func oneOf(options ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(options, v) }
}

// only reports whether a text consists of letters and some characters more.
func only(more string) func(string) bool {
	return func(v string) bool {
		return !strings.ContainsFunc(v, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(more, r)
		})
	}
}

func isASCII(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r > unicode.MaxASCII })
}

func isURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Scheme != "" && u.Host != "" && !strings.ContainsAny(v, " \t\r\n")
}

func isEmail(v string) bool {
	a, err := mail.ParseAddress(v)
	return err == nil && a.Address == v
}

func isAddress(ok func(netip.Addr) bool) func(string) bool {
	return func(v string) bool {
		a, err := netip.ParseAddr(v)
		return err == nil && a.Zone() == "" && ok(a)
	}
}

func isDate(v string) bool {
	for _, layout := range []string{time.DateOnly, time.DateTime, time.RFC3339} {
		if _, err := time.Parse(layout, v); err == nil {
			return true
		}
	}
	return false
}

func isTimeZone(v string) bool {
	if v == "" || v == "Local" {
		return false
	}
	_, err := time.LoadLocation(v)
	return err == nil
}
