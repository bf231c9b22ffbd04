package bench

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// BenchmarkRingHop hands commands of 128 bytes from one thread to another over the ring that
// stands between two stages, so many at a time, and adds up what arrives. The reference is a
// Go channel of the same room and batches. Wall time. Round trips and rivals are measured in
// package ringbuf.
func BenchmarkRingHop(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("ring=spsc/batch=%d", batch), func(b *testing.B) { ringHop(b, batch) })
	}
}

const (
	hopSlots    = 1 << 10
	hopCommands = 1 << 15 // a sample; a multiple of every batch
)

func ringHop(b *testing.B, batch int) {
	b.Helper()
	ring := ringbuf.NewSPSC[risk.Command](hopSlots)
	channel := make(chan []risk.Command, hopSlots/batch)
	arrived, want := uint64(0), uint64(0)
	p := pairs{isWall: true, items: hopCommands}
	p.ours = func() {
		want += hopCommands * (hopCommands - 1) / 2
		var group sync.WaitGroup
		group.Go(func() {
			for sent := 0; sent < hopCommands; sent += batch {
				for ring.Claim(batch) < batch {
					runtime.Gosched()
				}
				for i := range batch {
					ring.Slot(i).Seq = uint64(sent + i)
				}
				ring.Publish(batch)
			}
		})
		for got := 0; got < hopCommands; {
			ready := ring.Available()
			for i := range ready {
				arrived += ring.Peek(i).Seq
			}
			if ring.Release(ready); ready == 0 {
				runtime.Gosched()
			}
			got += ready
		}
		group.Wait()
	}
	// The channel carries a view of a buffer that is large enough not to be overwritten early.
	buffer := make([]risk.Command, 2*hopSlots+2*batch)
	p.reference = func() {
		want += hopCommands * (hopCommands - 1) / 2
		var group sync.WaitGroup
		group.Go(func() {
			for sent := 0; sent < hopCommands; sent += batch {
				view := buffer[sent%(2*hopSlots):][:batch]
				for i := range view {
					view[i].Seq = uint64(sent + i)
				}
				channel <- view
			}
		})
		for got := 0; got < hopCommands; got += batch {
			for i, view := 0, <-channel; i < len(view); i++ {
				arrived += view[i].Seq
			}
		}
		group.Wait()
	}
	p.run(b)
	p.rate(b)
	if arrived != want {
		b.Fatalf("what arrived adds up to %d, want %d", arrived, want)
	}
}
