// Package rule holds the privacy policy that every entity has: who may see a row is decided by one function that the
// store installs at start (it lives in package access, which may know the generated code while this package may not),
// and nothing is written outside of a unit of work, which package tx opens.
package rule
