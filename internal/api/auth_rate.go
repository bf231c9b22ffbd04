package api

import (
	"strconv"
	"sync/atomic"
	"time"
)

// Rate is how much a token may send: PerSecond commands and reads, and Burst of them at once.
// The zero Rate is no limit.
type Rate struct {
	PerSecond int
	Burst     int
}

// String returns 500/s,burst=1000.
func (r Rate) String() string {
	if r.PerSecond == 0 {
		return "none"
	}
	return strconv.Itoa(r.PerSecond) + "/s,burst=" + strconv.Itoa(r.Burst)
}

// bucket is a token bucket kept as one number, the time at which it will be full again
// (the generic cell rate algorithm of ITU-T I.371): no lock, and nothing to refill. A batch
// is let in while anything is in the bucket and may overdraw it; who comes next waits longer.
type bucket struct {
	limit      Rate
	intervalNs int64        // that one command takes to come back
	burstNs    int64        // how far fullAt may lie ahead
	fullAtNs   atomic.Int64 // since 1970
}

func (b *bucket) set(r Rate) {
	b.limit = r
	if r.PerSecond > 0 {
		b.intervalNs = int64(time.Second) / int64(r.PerSecond)
		b.burstNs = int64(r.Burst-1) * b.intervalNs
	}
}

func (b *bucket) isLimited() bool { return b.intervalNs > 0 }

// take takes count commands at a time, or says how long until there is one.
func (b *bucket) take(nowNs, count int64) (wait time.Duration, ok bool) {
	for {
		fullAt := b.fullAtNs.Load()
		if wait := fullAt - nowNs - b.burstNs; wait > 0 {
			return time.Duration(wait), false
		}
		if b.fullAtNs.CompareAndSwap(fullAt, max(fullAt, nowNs)+count*b.intervalNs) {
			return 0, true
		}
	}
}

// overdraw takes count more for a request that was let in.
func (b *bucket) overdraw(count int) {
	if count > 0 && b.isLimited() {
		b.fullAtNs.Add(int64(count) * b.intervalNs)
	}
}
