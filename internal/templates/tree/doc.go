// Package tree reads JSON and YAML into one form that keeps the order of keys, for the packages that read templates.
//
// What it reads is foreign: its size, its depth and the growth of YAML's aliases are bounded, keys are text, and a key
// stands in a map once.
package tree
