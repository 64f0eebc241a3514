// Package demo is the Demo game: a tiny console program inside the binary ("catalyst demo-game"), with which people see
// how the panel behaves, and which the tests and benchmarks run. It needs nothing: no files, no network, no arguments.
//
// It prints "ready" when it accepts commands, then "tick N" every second, and obeys on its standard input:
//
//	say TEXT        answers "you said: TEXT"
//	burst N         prints "burst I/N" for I = 1…N as fast as it can, then "burst done N"
//	rate N SECONDS  prints "rate I UNIXNANO" N times a second for so long, then "rate done N"
//	mem MB          holds so much memory from then on
//	cpu SECONDS     keeps one core busy for so long
//	write PATH MB   writes a file of that size, relative to the working directory
//	crash CODE      exits at once with the code
//	stop            prints "bye" and exits with 0
//
// SIGTERM and SIGINT are like stop. The end of its input means nothing to it.
package demo
