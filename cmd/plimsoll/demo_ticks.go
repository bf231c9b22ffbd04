package main

import (
	"fmt"
	"math/bits"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// ticker streams ticks into the pipeline, one after the other, and times each from the
// claim in ingress to the answer.
type ticker struct {
	d       *daemon
	walk    *walker
	records []risk.Command
	results [1]engine.Result
	times   histogram
}

// tick moves all prices once.
func (t *ticker) tick() error {
	t.records = t.walk.step(t.records[:0])
	start := time.Now()
	if err := t.d.submit(t.records, t.results[:]); err != nil {
		return err
	}
	t.times.add(time.Since(start).Nanoseconds())
	if r := &t.results[0]; r.Reason != risk.ReasonNone {
		return fmt.Errorf("demo: the tick at seq %d is refused: %s, price %d", r.Seq, r.Reason, r.Field)
	}
	return nil
}

// histogram counts durations in buckets that are at most 1/32 wide.
type histogram struct {
	counts  [64 << subBits]uint64
	count   uint64
	longest int64
}

const subBits = 5

func bucketOf(ns int64) int {
	v := uint64(max(ns, 0))
	width := bits.Len64(v >> subBits)
	return width<<subBits + int(v>>max(width-1, 0))&(1<<subBits-1)
}

// ceilingOf returns the largest duration of a bucket.
func ceilingOf(bucket int) int64 {
	width, sub := bucket>>subBits, int64(bucket&(1<<subBits-1))
	if width == 0 {
		return sub
	}
	return (1<<subBits+sub+1)<<(width-1) - 1
}

func (h *histogram) add(ns int64) {
	h.counts[bucketOf(ns)]++
	h.count++
	h.longest = max(h.longest, ns)
}

// quantile returns a duration that at least perMille thousandths do not pass, at most 1/32
// too long.
func (h *histogram) quantile(perMille uint64) int64 {
	rank := (h.count*perMille + 999) / 1000
	for bucket, seen := 0, uint64(0); bucket < len(h.counts); bucket++ {
		if seen += h.counts[bucket]; seen >= rank && seen > 0 {
			return min(ceilingOf(bucket), h.longest)
		}
	}
	return 0
}
