// Package rule is the language in which templates say what a variable may hold: "required", "max:20", "in:a,b". It is the
// one that eggs use, so that these mean here what they meant where they come from.
//
// A number compares as a number where a rule or the variable's type says that it is one, and by its length otherwise.
// Whatever is not a finite number is none. Patterns are RE2, so that none can take long. An empty value passes everything
// but required. Errors are the end of a sentence that begins with the variable: "must be at most 20 characters long".
package rule
