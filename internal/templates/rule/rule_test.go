package rule_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
)

// TestRules lists for each rule what passes and what does not, and how that is told.
func TestRules(t *testing.T) {
	t.Parallel()
	for rules, tt := range map[string]struct {
		passes, fails []string
		says          string
	}{
		"required":                      {[]string{"a", " "}, []string{""}, "is required"},
		"nullable|string|max:3":         {[]string{"", "abc", "äöü"}, []string{"abcd"}, "at most 3 characters long"},
		"min:2":                         {[]string{"", "ab"}, []string{"a"}, "at least 2 characters long"},
		"numeric|min:2":                 {[]string{"2", "10", "2.5", "1e3"}, []string{"1", "-3"}, "must be at least 2"},
		"numeric|max:255":               {[]string{"255", "-1"}, []string{"256"}, "must be at most 255"},
		"numeric":                       {[]string{"0", "-1.5"}, []string{"NaN", "Inf", "-inf", "0x10", "1_000", "a", "1e999"}, "must be a number"},
		"integer|between:0,60":          {[]string{"0", "60"}, []string{"61", "-1"}, "from 0 to 60"},
		"integer":                       {[]string{"-5", "007"}, []string{"1.5", "1e3", "NaN", "99999999999999999999"}, "whole number"},
		"int":                           {[]string{"5"}, []string{"x"}, "whole number"},
		"between:3,12":                  {[]string{"latest"}, []string{"ab", "1234567890123"}, "from 3 to 12 characters long"},
		"numeric|digits_between:1,3":    {[]string{"0", "999"}, []string{"1000", "-1", "1.5"}, "1 to 3 digits"},
		"digits:4":                      {[]string{"0000"}, []string{"123", "12345", "12a4"}, "4 digits"},
		"min_digits:2|max_digits:3":     {[]string{"12", "123"}, []string{"1"}, "at least 2 digits"},
		"size:2":                        {[]string{"ab"}, []string{"abc"}, "exactly 2 characters"},
		"numeric|gt:1|lt:9":             {[]string{"2"}, []string{"1"}, "more than 1"},
		"numeric|gte:1|lte:9":           {[]string{"1", "9"}, []string{"9.1"}, "at most 9"},
		"decimal:1,2":                   {[]string{"1.5", "1.55"}, []string{"1", "1.555", "x"}, "1 to 2 decimal places"},
		"multiple_of:5":                 {[]string{"10", "-5"}, []string{"7", "x"}, "multiple of 5"},
		"boolean":                       {[]string{"true", "false", "1", "0", ""}, []string{"yes", "TRUE"}, "true, false, 1 or 0"},
		"accepted":                      {[]string{"yes"}, []string{"no"}, "be yes"},
		"declined":                      {[]string{"no"}, []string{"yes"}, "be no"},
		"in:a,b":                        {[]string{"a", "b"}, []string{"c", "A"}, "one of a, b"},
		`in:"a,b",c`:                    {[]string{"a,b", "c"}, []string{"a"}, "one of a,b, c"},
		"not_in:a,b":                    {[]string{"c"}, []string{"a"}, "not be one of"},
		`regex:/^([\w\d._-]+)(\.jar)$/`: {[]string{"server.jar"}, []string{"server.zip", "a b.jar"}, "must match"},
		`regex:/^(a|b)$/i|max:1`:        {[]string{"A", "b"}, []string{"c", "ab"}, "must match"},
		"regex:^x+$":                    {[]string{"xx"}, []string{"y"}, "must match"},
		"not_regex:/x/":                 {[]string{"y"}, []string{"x"}, "not match"},
		"alpha":                         {[]string{"abcé"}, []string{"a1", "a b"}, "letters"},
		"alpha_num":                     {[]string{"abc1"}, []string{"a-1"}, "letters and digits"},
		"alpha_dash":                    {[]string{"a-b_1"}, []string{"a b", "a.b", "$(x)"}, "dashes"},
		"alpha_dash:ascii":              {[]string{"a-b_1"}, []string{"a b"}, "dashes"},
		"ascii":                         {[]string{"abc"}, []string{"é"}, "ASCII"},
		"lowercase":                     {[]string{"abc"}, []string{"Abc"}, "lower case"},
		"uppercase":                     {[]string{"ABC"}, []string{"Abc"}, "upper case"},
		"url":                           {[]string{"https://example.com/a?b=c", "ftp://x"}, []string{"example.com", "http://", "javascript:alert(1)", "http://a b"}, "URL"},
		"email":                         {[]string{"a@example.com"}, []string{"a", "A <a@example.com>"}, "e-mail"},
		"ip":                            {[]string{"127.0.0.1", "::1"}, []string{"127.0.0", "fe80::1%eth0"}, "IP address"},
		"ipv4":                          {[]string{"127.0.0.1"}, []string{"::1"}, "IPv4"},
		"ipv6":                          {[]string{"::1"}, []string{"127.0.0.1"}, "IPv6"},
		"mac_address":                   {[]string{"00:00:5e:00:53:01"}, []string{"00"}, "MAC"},
		"uuid":                          {[]string{"053b2768-bae0-44ab-a82c-15245b1478e0"}, []string{"053b"}, "UUID"},
		"ulid":                          {[]string{"01ARZ3NDEKTSV4RRFFQ69G5FAV"}, []string{"x"}, "ULID"},
		"hex_color":                     {[]string{"#fff", "#ff8800"}, []string{"fff"}, "colour"},
		"json":                          {[]string{`{"a":1}`}, []string{"{"}, "JSON"},
		"date":                          {[]string{"2026-01-31"}, []string{"soon"}, "date"},
		"timezone":                      {[]string{"Europe/Berlin", "UTC"}, []string{"Mars/Base", "../../etc/passwd"}, "time zone"},
		"starts_with:a,b":               {[]string{"ax"}, []string{"cx"}, "begin with a, b"},
		"ends_with:.jar":                {[]string{"a.jar"}, []string{"a.zip"}, "end with"},
		"doesnt_start_with:/":           {[]string{"a"}, []string{"/a"}, "not begin"},
		"doesnt_end_with:/":             {[]string{"a"}, []string{"a/"}, "not end"},
		"sometimes|bail|present":        {[]string{"", "a"}, []string{"a\x00b"}, "NUL"},
	} {
		set, err := rule.Compile(kind.VariableTypeString, rule.Split(rules))
		if err != nil {
			t.Errorf("%s: %v", rules, err)
			continue
		}
		for _, v := range tt.passes {
			if err := set.Check(v); err != nil {
				t.Errorf("%s: %q %v", rules, v, err)
			}
		}
		for i, v := range tt.fails {
			if err := set.Check(v); err == nil || i == 0 && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %q gives %v, want an error that says %q", rules, v, err, tt.says)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule, says string
		unknown    bool
	}{
		{"strong", "no rule", true},
		{"required_if:A,1", "no rule", true},
		{"min", "argument", false},
		{"max:many", "not a number", false},
		{"max:NaN", "not a number", false},
		{"between:1", "2 numbers", false},
		{"regex:/(?=a)/", "RE2", false},
		{"regex:" + strings.Repeat("a", 2000), "longer", false},
		{"multiple_of:0", "zero", false},
		{"in:" + strings.Repeat("a", 5000), "longer", false},
	} {
		_, err := rule.Compile(kind.VariableTypeString, []string{tt.rule})
		if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, rule.ErrUnknown) != tt.unknown {
			t.Errorf("%.20s: %v", tt.rule, err)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"required|string|max:20":               {"required", "string", "max:20"},
		"required | nullable |":                {"required", "nullable"},
		`required|regex:/^(a|b\/|c)$/u|max:20`: {"required", `regex:/^(a|b\/|c)$/u`, "max:20"},
		`regex:/a|b`:                           {"regex:/a", "b"},
		`not_regex:/a|b/`:                      {"not_regex:/a|b/"},
		"":                                     nil,
	} {
		if diff := cmp.Diff(want, rule.Split(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]kind.VariableType{
		"required|string": kind.VariableTypeString, "required|numeric|in:1,2": kind.VariableTypeEnum, "boolean": kind.VariableTypeBoolean,
		"required|int": kind.VariableTypeInteger, "numeric|digits_between:1,3": kind.VariableTypeInteger, "numeric|max:5": kind.VariableTypeNumber,
	} {
		if got := rule.TypeOf(rule.Split(rules)); got != want {
			t.Errorf("%s is %s, want %s", rules, got, want)
		}
	}
}

// FuzzRules makes sure that no rule and no value panics, and that what is not a finite number passes no bound.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{"required|max:20", "regex:/^(a|b)$/i", "between:1,2", `in:"a,b",c`, "digits_between:1,3", "decimal:2", "timezone"} {
		f.Add(seed, "12")
	}
	f.Add("numeric|between:0,10", "NaN")
	f.Fuzz(func(t *testing.T, rules, value string) {
		split := rule.Split(rules)
		rule.TypeOf(split)
		rule.Options(split)
		set, err := rule.Compile(kind.VariableTypeNumber, split)
		if err != nil {
			return
		}
		if err := set.Check(value); err == nil && strings.ContainsAny(strings.ToLower(value), "nai") && value != "" {
			t.Errorf("%q passes %q and numeric", value, rules)
		}
	})
}
