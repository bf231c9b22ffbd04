// Package main is benchresults: it runs the benchmarks that the goals of safe bands are stated
// in, or reads a run from a file, and writes bench/RESULTS.md: machine, command, date, one row
// a goal with the figures of the three account modes, and whether all of them meet it. A
// benchmark that was not run shows as such; one that failed fails the whole.
package main
