package bench

import (
	"sync/atomic"
	"time"
)

// schedule is when requests are due: number k at k / perSecond after the beginning, whatever
// became of those before it. It is never moved.
type schedule struct {
	perSecond float64
	count     int64
}

// newSchedule returns the schedule of all requests due within a time.
func newSchedule(perSecond float64, long time.Duration) schedule {
	s := schedule{perSecond: perSecond}
	s.count = int64(perSecond * long.Seconds())
	for s.due(s.count) < int64(long) {
		s.count++
	}
	return s
}

// due returns when request k is due, in nanoseconds since the beginning. A float64 holds them
// exactly to the nanosecond for a hundred days.
func (s *schedule) due(k int64) int64 { return int64(float64(k) * 1e9 / s.perSecond) }

// tickets hands out requests in the order of the schedule, each once. Without a schedule
// every request is due when it is asked for, until the end.
type tickets struct {
	schedule
	isClosedLoop bool
	end          int64        // of a closed loop
	next         atomic.Int64 // pairs with CompareAndSwap in take
	isOver       atomic.Bool  // nothing more is handed out
}

// take returns when the next request is due, if that is not after now.
func (t *tickets) take(now int64) (due int64, ok bool) {
	if t.isOver.Load() {
		return 0, false
	}
	if t.isClosedLoop {
		return now, now < t.end
	}
	for {
		k := t.next.Load()
		if k >= t.count {
			return 0, false
		}
		if due = t.due(k); due > now {
			return 0, false
		}
		if t.next.CompareAndSwap(k, k+1) {
			return due, true
		}
	}
}

// isDue reports whether take would return one.
func (t *tickets) isDue(now int64) bool {
	k := t.next.Load()
	return !t.isOver.Load() && !t.isClosedLoop && k < t.count && t.due(k) <= now
}

// isDone reports whether all have been handed out.
func (t *tickets) isDone(now int64) bool {
	if t.isClosedLoop {
		return now >= t.end
	}
	return t.next.Load() >= t.count
}

// Alarm wakes the sender.
type Alarm interface {
	Sleep(long time.Duration) error
	Close() error
}

// PlainAlarm wakes by time.Sleep, which an idle Go process rounds up to a millisecond.
type PlainAlarm struct{}

// Sleep waits.
func (PlainAlarm) Sleep(long time.Duration) error {
	time.Sleep(long)
	return nil
}

// Close does nothing.
func (PlainAlarm) Close() error { return nil }

// Bounds of one sleep of the sender. It wakes for the next request that is due, but no more
// often than every 50 us, which costs a tenth of a core: those due in between are sent by
// connections that become free, or then; the delay is part of what is measured, and is told.
const (
	sleepLeast = 50 * time.Microsecond
	sleepMost  = 5 * time.Millisecond
)

// pause returns how long the sender may sleep.
func (t *tickets) pause(now int64) time.Duration {
	k := t.next.Load()
	if t.isClosedLoop || k >= t.count {
		return sleepMost
	}
	return min(max(time.Duration(t.due(k)-now), sleepLeast), sleepMost)
}
