package ringbuf

import "runtime"

// Idler says what a goroutine that polls does when it finds nothing: it polls again, then
// lets others run, then parks.
//
//	for idler := ringbuf.NewIdler(spins, yields, waker); !closing.Load(); {
//		idler.Wait(stage.Poll())
//	}
//
// Spinning is for a core of one's own. With as many stages as cores, or more, a spinning stage
// keeps the core from the one it waits for: they must yield at once and park early. An item's
// way round four stages on two cores took 0.3 to 0.6 us with 8 yields, 20 us with 1,000 spins
// before them and 200 us and more with 10,000 (BenchmarkIdle). Two stages on two cores gained nothing
// by spinning and lost as much whenever Go had both on one thread.
// A goroutine that idles so should not be locked to a thread: its every yield is then a system call.
type Idler struct {
	spins, yields int
	idle          int  // Polls in a row that found nothing, up to spins+yields.
	isPrepared    bool // The waker was told; the caller has polled, or will, once more.
	waker         *Waker
}

// NewIdler returns an Idler that polls spins times without pause, then yields times with
// others running in between, then parks on wake. Without wake it goes on yielding.
func NewIdler(spins, yields int, wake *Waker) Idler {
	return Idler{spins: spins, yields: yields, waker: wake}
}

// Wait is called after every Poll with the work that it did, and begins anew if that is
// above 0. Before it parks it returns once more, with the waker prepared: the Poll that
// follows is the last look that Waker asks for.
func (i *Idler) Wait(work int) {
	if work > 0 {
		if i.idle > 0 || i.isPrepared {
			i.Reset()
		}
		return
	}
	i.rest()
}

// rest takes one step of the ladder.
func (i *Idler) rest() {
	switch {
	case i.idle < i.spins:
		i.idle++
	case i.idle < i.spins+i.yields:
		i.idle++
		runtime.Gosched()
	case i.waker == nil:
		runtime.Gosched()
	case !i.isPrepared:
		i.waker.Prepare()
		i.isPrepared = true
	default:
		i.waker.Park()
		i.idle, i.isPrepared = 0, false
	}
}

// Reset begins anew. A goroutine that ends calls it last, so that nobody goes on waking it.
func (i *Idler) Reset() {
	if i.isPrepared {
		i.waker.Cancel()
	}
	i.idle, i.isPrepared = 0, false
}

// DefaultIdle returns how often to spin and to yield for so many polling goroutines, all that
// keep a core busy counted, on so many cores.
func DefaultIdle(cores, stages int) (spins, yields int) {
	if stages >= cores {
		return 0, 8
	}
	return 1_000, 8
}
