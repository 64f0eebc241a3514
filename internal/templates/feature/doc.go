// Package feature knows the features that templates say their servers have: what a program that ended asks people for, as
// it can be read from the last lines that it wrote. It is pure; who may answer, and what the answer does, is the servers'
// service's.
package feature
