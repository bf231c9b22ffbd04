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

// BenchmarkRingFanOut hands commands from one writer to three readers, each of which reads all
// of them, as the journaler does to shards, over the ring and over a channel for each reader.
// The channels always have a goroutine for each side, which is how one uses them. The ring has
//
//	stages=goroutines  the same four; on fewer cores they yield, then park
//	stages=pump        one goroutine that polls the writer and the readers in turn, which is what
//	                   the engine does on two cores; the writer publishes what one poll brings
//
// A batch of 32 is what a stage of the engine shows the next at once. The channels then carry
// a view of memory that all share, one send a reader and batch, so nothing is copied there.
func BenchmarkRingFanOut(b *testing.B) {
	for _, batch := range []int{1, 32} {
		for _, isPump := range []bool{false, true} {
			stages := "goroutines"
			if isPump {
				stages = "pump"
			}
			b.Run(fmt.Sprintf("ring=broadcast/readers=3/stages=%s/batch=%d", stages, batch), func(b *testing.B) {
				f := &fanOut{b: b, batch: batch, buffer: make([]risk.Command, 2*hopSlots+2*batch)}
				f.ring = ringbuf.NewBroadcast[risk.Command](hopSlots, fanReaders)
				p := pairs{isWall: true, items: hopCommands, ours: f.overRing, reference: f.overChannels}
				if isPump {
					p.ours = f.overPump
				}
				p.run(b)
				p.rate(b)
			})
		}
	}
}

const (
	fanReaders = 3
	fanDrain   = 256 // commands that a reader takes before it gives their slots back
)

// fanOut is one writer and its readers; each reader must add up the numbers of all commands.
type fanOut struct {
	b      *testing.B
	batch  int
	ring   *ringbuf.Broadcast[risk.Command]
	buffer []risk.Command // that views are of; large enough that none is overwritten before all have read it
}

func (f *fanOut) check(reader int, sum uint64) {
	if want := uint64(hopCommands) * (hopCommands - 1) / 2; sum != want {
		f.b.Errorf("what reader %d got adds up to %d, want %d", reader, sum, want)
	}
}

// write publishes the next batch, if there is room.
func (f *fanOut) write(sent int) (work int) {
	if f.ring.Claim(f.batch) < f.batch {
		return 0
	}
	for i := range f.batch {
		f.ring.Slot(i).Seq = uint64(sent + i)
	}
	f.ring.Publish(f.batch)
	return f.batch
}

// read takes what is there for a reader.
func (f *fanOut) read(reader int, sum *uint64) (work int) {
	work = min(f.ring.Available(reader), fanDrain)
	for i := range work {
		*sum += f.ring.Peek(reader, i).Seq
	}
	f.ring.Release(reader, work)
	return work
}

func (f *fanOut) overRing() {
	var wakers [fanReaders + 1]*ringbuf.Waker // the last is the writer's
	for i := range wakers {
		wakers[i] = ringbuf.NewWaker()
	}
	spins, yields := ringbuf.DefaultIdle(runtime.GOMAXPROCS(0), len(wakers))
	var group sync.WaitGroup
	for reader := range fanReaders {
		group.Go(func() {
			idler := ringbuf.NewIdler(spins, yields, wakers[reader])
			defer idler.Reset()
			sum := uint64(0)
			for got := 0; got < hopCommands; {
				work := f.read(reader, &sum)
				idler.Wait(work)
				if got += work; work > 0 {
					wakers[fanReaders].Wake()
				}
			}
			f.check(reader, sum)
		})
	}
	idler := ringbuf.NewIdler(spins, yields, wakers[fanReaders])
	for sent := 0; sent < hopCommands; {
		work := f.write(sent)
		idler.Wait(work)
		if sent += work; work > 0 {
			for _, w := range wakers[:fanReaders] {
				w.Wake()
			}
		}
	}
	idler.Reset()
	group.Wait()
}

func (f *fanOut) overPump() {
	var sums [fanReaders]uint64
	for sent := 0; sent < hopCommands; {
		for end := min(sent+fanDrain, hopCommands); sent < end; { // what one Poll of the writer brings
			sent += f.write(sent)
		}
		for reader := range fanReaders {
			f.read(reader, &sums[reader])
		}
	}
	for reader, sum := range sums {
		f.check(reader, sum)
	}
}

func (f *fanOut) overChannels() {
	if f.batch == 1 {
		overChannels(f, func(sent int) (c risk.Command) { c.Seq = uint64(sent); return c },
			func(c risk.Command, sum *uint64) { *sum += c.Seq })
		return
	}
	overChannels(f, func(sent int) []risk.Command {
		view := f.buffer[sent%(2*hopSlots):][:f.batch]
		for i := range view {
			view[i].Seq = uint64(sent + i)
		}
		return view
	}, func(view []risk.Command, sum *uint64) {
		for i := range view {
			*sum += view[i].Seq
		}
	})
}

// overChannels sends what make gives for every batch to each reader, which adds it up.
func overChannels[T any](f *fanOut, build func(sent int) T, add func(v T, sum *uint64)) {
	var channels [fanReaders]chan T
	var group sync.WaitGroup
	for reader := range channels {
		channels[reader] = make(chan T, hopSlots/f.batch)
		group.Go(func() {
			sum := uint64(0)
			for got := 0; got < hopCommands; got += f.batch {
				add(<-channels[reader], &sum)
			}
			f.check(reader, sum)
		})
	}
	for sent := 0; sent < hopCommands; sent += f.batch {
		v := build(sent)
		for _, c := range channels {
			c <- v
		}
	}
	group.Wait()
}
