package ringbuf

import (
	"runtime"
	"sync"
	"testing"

	"github.com/puzpuzpuz/xsync/v3"
)

// sumTo is what the reader of items 0 to count-1 must have added up.
func sumTo(count uint64) uint64 { return count * (count - 1) / 2 }

// pass runs a writer and a reader on a thread each and checks what came over.
func pass(b *testing.B, count uint64, write func(), read func() uint64) func() {
	return func() {
		var group sync.WaitGroup
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			write()
		})
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if sum := read(); sum != sumTo(count) {
			b.Errorf("the items add up to %d, want %d", sum, sumTo(count))
		}
		group.Wait()
	}
}

// passFreely is pass with goroutines that are not bound to threads, which is what suits a channel.
func passFreely(b *testing.B, want uint64, read func() uint64, writers ...func()) func() {
	return func() {
		var group sync.WaitGroup
		for _, write := range writers {
			group.Go(write)
		}
		if sum := read(); sum != want {
			b.Errorf("the items add up to %d, want %d", sum, want)
		}
		group.Wait()
	}
}

// BenchmarkSPSC moves items of 8 and 64 bytes, one and 16 at a time. Targets: beside a minimal
// ring x-ref <= 2; the others are there to compare.
func BenchmarkSPSC(b *testing.B) {
	b.Run("bytes=8/batch=1", func(b *testing.B) { benchSPSC[[1]uint64, [1]uint64](b, 200_000, 1) })
	b.Run("bytes=8/batch=16", func(b *testing.B) { benchSPSC[[1]uint64, [16]uint64](b, 3_200_000, 16) })
	b.Run("bytes=64/batch=1", func(b *testing.B) { benchSPSC[[8]uint64, [8]uint64](b, 200_000, 1) })
	b.Run("bytes=64/batch=16", func(b *testing.B) { benchSPSC[[8]uint64, [128]uint64](b, 400_000, 16) })
}

// benchSPSC carries T; rivals that know no batches carry Batch, which is as large as batch of T.
func benchSPSC[T, Batch item](b *testing.B, count uint64, batch int) {
	blocks := count / uint64(batch)
	ours := func() {
		r := NewSPSC[T](slotCount)
		pass(b, count, func() { writeSPSC(r, count, batch) }, func() uint64 { return readSPSC(r, count) })()
	}
	b.Run("beside=minimal", func(b *testing.B) {
		beside(b, int(count), ours, func() {
			r := new(minimalRing[T])
			pass(b, count, func() { r.write(count, uint64(batch)) },
				func() uint64 { return r.read(count) })()
		})
	})
	b.Run("beside=channel", func(b *testing.B) {
		beside(b, int(count), ours, func() {
			c := make(chan Batch, slotCount/batch)
			passFreely(b, sumTo(blocks), func() uint64 { return readChannel(c, blocks) },
				func() { writeChannel(c, 0, blocks) })()
		})
	})
	b.Run("beside=xsync", func(b *testing.B) {
		beside(b, int(count), ours, func() {
			q := xsync.NewMPMCQueueOf[Batch](slotCount / batch)
			pass(b, blocks, func() { writeQueue(q, 0, blocks, spin) },
				func() uint64 { return readQueue(q, blocks, spin) })()
		})
	})
}

// BenchmarkMPSC has three writers: four goroutines on two cores, so waiting means yielding.
func BenchmarkMPSC(b *testing.B) {
	b.Run("bytes=8/batch=1", func(b *testing.B) { benchMPSC[[1]uint64, [1]uint64](b, 100_000, 1) })
	b.Run("bytes=8/batch=16", func(b *testing.B) { benchMPSC[[1]uint64, [16]uint64](b, 800_000, 16) })
	b.Run("bytes=64/batch=1", func(b *testing.B) { benchMPSC[[8]uint64, [8]uint64](b, 100_000, 1) })
	b.Run("bytes=64/batch=16", func(b *testing.B) { benchMPSC[[8]uint64, [128]uint64](b, 200_000, 16) })
}

// benchMPSC has each writer write count items.
func benchMPSC[T, Batch item](b *testing.B, count uint64, batch int) {
	blocks := count / uint64(batch)
	ours := func() {
		r := NewMPSC[T](slotCount)
		passFreely(b, sumTo(3*count), func() uint64 { return readMPSC(r, 3*count) },
			func() { writeMPSC(r, 0, count, batch) },
			func() { writeMPSC(r, count, count, batch) },
			func() { writeMPSC(r, 2*count, count, batch) })()
	}
	b.Run("beside=channel", func(b *testing.B) {
		beside(b, int(3*count), ours, func() {
			c := make(chan Batch, slotCount/batch)
			passFreely(b, sumTo(3*blocks), func() uint64 { return readChannel(c, 3*blocks) },
				func() { writeChannel(c, 0, blocks) },
				func() { writeChannel(c, blocks, blocks) },
				func() { writeChannel(c, 2*blocks, blocks) })()
		})
	})
	b.Run("beside=xsync", func(b *testing.B) {
		beside(b, int(3*count), ours, func() {
			q := xsync.NewMPMCQueueOf[Batch](slotCount / batch)
			passFreely(b, sumTo(3*blocks), func() uint64 { return readQueue(q, 3*blocks, yield) },
				func() { writeQueue(q, 0, blocks, yield) },
				func() { writeQueue(q, blocks, blocks, yield) },
				func() { writeQueue(q, 2*blocks, blocks, yield) })()
		})
	})
}

// BenchmarkBroadcast has three readers, each of which reads every item, beside a channel for
// each reader; all wait as Idler says. Target at batch=1: x-ref <= 0.2. A batch costs the
// channels one send a reader too, so what is left to gain is less: filling and reading the
// items is then most of either side.
func BenchmarkBroadcast(b *testing.B) {
	b.Run("bytes=8/batch=1", func(b *testing.B) { benchBroadcast[[1]uint64, [1]uint64](b, 300_000, 1) })
	b.Run("bytes=8/batch=16", func(b *testing.B) { benchBroadcast[[1]uint64, [16]uint64](b, 1_600_000, 16) })
	b.Run("bytes=64/batch=1", func(b *testing.B) { benchBroadcast[[8]uint64, [8]uint64](b, 200_000, 1) })
	b.Run("bytes=64/batch=16", func(b *testing.B) { benchBroadcast[[8]uint64, [128]uint64](b, 400_000, 16) })
}

func benchBroadcast[T, Batch item](b *testing.B, count uint64, batch int) {
	blocks := count / uint64(batch)
	ours := func() {
		r, waits := NewBroadcast[T](slotCount, 3), newBroadcastWaits(3)
		fanOut(b, sumTo(count), func() { writeBroadcast(r, waits, count, batch) },
			func(reader int) uint64 { return readBroadcast(r, waits, reader, count) })
	}
	b.Run("beside=channels", func(b *testing.B) {
		beside(b, int(count), ours, func() {
			var c [3]chan Batch
			for i := range c {
				c[i] = make(chan Batch, slotCount/batch)
			}
			fanOut(b, sumTo(blocks), func() {
				for i := range blocks {
					for reader := range c {
						var v Batch
						v[0] = i
						c[reader] <- v
					}
				}
			}, func(reader int) uint64 { return readChannel(c[reader], blocks) })
		})
	})
}

// fanOut runs one writer and three readers and checks what each reader got.
func fanOut(b *testing.B, want uint64, write func(), read func(reader int) uint64) {
	var group sync.WaitGroup
	for reader := range 3 {
		group.Go(func() {
			if sum := read(reader); sum != want {
				b.Errorf("reader %d: the items add up to %d, want %d", reader, sum, want)
			}
		})
	}
	write()
	group.Wait()
}
