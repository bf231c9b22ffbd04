//go:build !linux

package main

import "plimsoll/bench"

// newAlarm wakes by time.Sleep: requests are sent up to a millisecond late, which is counted
// and told.
func newAlarm() (bench.Alarm, error) { return bench.PlainAlarm{}, nil }
