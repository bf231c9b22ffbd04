package ringbuf

import (
	"runtime"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v3"
)

// item is what the benchmarks carry: one word, a line, and 16 of either, which is how rivals
// without a batch call move a batch. The first word is the item's number.
type item interface {
	[1]uint64 | [8]uint64 | [16]uint64 | [128]uint64
}

// fill writes a whole item in place, as an engine fills a slot: built beside and copied, the
// copy would wait for the stores that it reads back.
func fill[T item](p *T, number uint64) {
	var zero T
	*p = zero
	(*p)[0] = number
}

// slotCount keeps a ring of lines within a core's second-level cache (256 KiB).
const slotCount = 4096

// drainMax is how many items a reader of a ring takes before it gives their slots back. A
// reader drains what is there, whatever the writer's batch: that is what rings are for.
const drainMax = 256

// spinsMax is how long the two sides of a benchmark with a core each poll before they let
// others run: long enough to be no part of the figure.
const spinsMax = 1 << 14

// spin polls on, and now and then lets others run.
func spin(polls *int) {
	if *polls++; *polls%spinsMax == 0 {
		runtime.Gosched()
	}
}

// minimalRing is the least that passes items from one goroutine to another: two padded
// cursors, and both sides keep what they know in registers. It is what SPSC is held against.
type minimalRing[T item] struct {
	_     [64]byte
	head  atomic.Uint64
	_     [64]byte
	tail  atomic.Uint64
	_     [64]byte
	slots [slotCount]T
}

func (r *minimalRing[T]) write(count, batch uint64) {
	head, tailSeen, polls := uint64(0), uint64(0), 0
	for head < count {
		for head+batch-tailSeen > slotCount {
			if tailSeen = r.tail.Load(); head+batch-tailSeen > slotCount {
				spin(&polls)
			}
		}
		for end := head + batch; head < end; head++ {
			fill(&r.slots[head%slotCount], head)
		}
		r.head.Store(head)
	}
}

func (r *minimalRing[T]) read(count uint64) (sum uint64) {
	tail, headSeen, polls := uint64(0), uint64(0), 0
	for tail < count {
		for headSeen == tail {
			if headSeen = r.head.Load(); headSeen == tail {
				spin(&polls)
			}
		}
		for end := min(headSeen, tail+drainMax); tail < end; tail++ {
			sum += r.slots[tail%slotCount][0]
		}
		r.tail.Store(tail)
	}
	return sum
}

func writeSPSC[T item](r *SPSC[T], count uint64, batch int) {
	polls := 0
	for next := uint64(0); next < count; {
		if r.Claim(batch) < batch {
			spin(&polls)
			continue
		}
		for i := range batch {
			fill(r.Slot(i), next+uint64(i))
		}
		r.Publish(batch)
		next += uint64(batch)
	}
}

func readSPSC[T item](r *SPSC[T], count uint64) (sum uint64) {
	polls := 0
	for next := uint64(0); next < count; {
		ready := min(r.Available(), drainMax)
		if ready == 0 {
			spin(&polls)
			continue
		}
		for i := range ready {
			sum += (*r.Peek(i))[0]
		}
		r.Release(ready)
		next += uint64(ready)
	}
	return sum
}

func writeChannel[T item](c chan T, first, count uint64) {
	for i := range count {
		var v T
		v[0] = first + i
		c <- v
	}
}

func readChannel[T item](c chan T, count uint64) (sum uint64) {
	for range count {
		v := <-c
		sum += v[0]
	}
	return sum
}

func writeQueue[T item](q *xsync.MPMCQueueOf[T], first, count uint64, wait func(*int)) {
	polls := 0
	for i := range count {
		var v T
		v[0] = first + i
		for !q.TryEnqueue(v) {
			wait(&polls)
		}
	}
}

func readQueue[T item](q *xsync.MPMCQueueOf[T], count uint64, wait func(*int)) (sum uint64) {
	polls := 0
	for range count {
		v, ok := q.TryDequeue()
		for ; !ok; v, ok = q.TryDequeue() {
			wait(&polls)
		}
		sum += v[0]
	}
	return sum
}

// yield lets others run at once: the way to wait with more goroutines than cores.
func yield(*int) { runtime.Gosched() }

func writeMPSC[T item](r *MPSC[T], first, count uint64, batch int) {
	for next := uint64(0); next < count; {
		seq, ok := r.TryClaim(batch)
		if !ok {
			runtime.Gosched()
			continue
		}
		for i := range uint64(batch) {
			fill(r.Slot(seq+i), first+next+i)
		}
		r.Publish(seq, batch)
		next += uint64(batch)
	}
}

func readMPSC[T item](r *MPSC[T], count uint64) (sum uint64) {
	for next := uint64(0); next < count; {
		ready := r.Available(drainMax)
		if ready == 0 {
			runtime.Gosched()
			continue
		}
		for i := range ready {
			sum += (*r.Peek(i))[0]
		}
		r.Release(ready)
		next += uint64(ready)
	}
	return sum
}

// broadcastWaits is how the writer and the readers of a Broadcast wait for each other. Four
// goroutines on two cores that only yield keep the cores from one another, and each reader is
// on the writer's heels: every item's line then goes back and forth. That was 118 to 280 ns an
// item beside 17 to 6 ns for readers that park, three to nine times slower than channels in
// batches of 16 (2 cores shared with other work, 2026-11).
type broadcastWaits struct {
	spins, yields int
	writer        *Waker
	readers       []*Waker
}

func newBroadcastWaits(readers int) *broadcastWaits {
	w := &broadcastWaits{writer: NewWaker(), readers: make([]*Waker, readers)}
	w.spins, w.yields = DefaultIdle(runtime.GOMAXPROCS(0), readers+1)
	for i := range w.readers {
		w.readers[i] = NewWaker()
	}
	return w
}

func writeBroadcast[T item](r *Broadcast[T], waits *broadcastWaits, count uint64, batch int) {
	idler := NewIdler(waits.spins, waits.yields, waits.writer)
	defer idler.Reset()
	for next := uint64(0); next < count; {
		if r.Claim(batch) < batch {
			idler.Wait(0)
			continue
		}
		idler.Wait(batch)
		for i := range batch {
			fill(r.Slot(i), next+uint64(i))
		}
		r.Publish(batch)
		for _, reader := range waits.readers {
			reader.Wake()
		}
		next += uint64(batch)
	}
}

func readBroadcast[T item](r *Broadcast[T], waits *broadcastWaits, reader int, count uint64) (sum uint64) {
	idler := NewIdler(waits.spins, waits.yields, waits.readers[reader])
	defer idler.Reset()
	for next := uint64(0); next < count; {
		ready := min(r.Available(reader), drainMax)
		idler.Wait(ready)
		if ready == 0 {
			continue
		}
		for i := range ready {
			sum += (*r.Peek(reader, i))[0]
		}
		r.Release(reader, ready)
		waits.writer.Wake()
		next += uint64(ready)
	}
	return sum
}
