// Package metrics holds what is counted and how it is shown: a histogram of durations that
// many goroutines may write without a lock, and the text form in which Prometheus reads it.
// It knows no stage, no route and no clock.
//
//	value ns   0 .. 127            one bucket each
//	           2^k .. 2^(k+1)-1    64 buckets of 2^(k-6)        k = 7 .. 35
//
// So a bucket is never wider than 1/64 of what is in it, and finding it is a shift and an add
// (Tene, HdrHistogram: the same layout with a base of two).
package metrics
