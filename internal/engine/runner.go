package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"plimsoll/ringbuf"
)

// stage does a bounded amount of work per Poll and reports how much. It reports 0 only if
// it changed nothing that another stage can see: whoever waits for it may then sleep.
type stage interface{ Poll() (work int) }

// runner gives the stages threads to run on. Only the runner sleeps. Its stages are
// shared out over pumps, one goroutine each.
type runner struct {
	pumps     []*pump
	isSolo    bool        // one pump: callers may run it themselves
	isDrained func() bool // asked by who runs all stages: nothing is in them

	hasBackground func() bool // asked by who runs all stages: some have work beside the order
	counters      *counters
	fail          func(error)
	stopping      atomic.Bool
	group         sync.WaitGroup
}

// newRunner shares the stages out. The front (sequencer, journaler and, unless threads
// abound, egress) is one pump, the shards are dealt over the others; with one thread one
// pump has all, in the order of the data, because on few cores a hand-over between
// goroutines costs more than the work.
func newRunner(front []stage, shards []stage, back stage, threads int, counters *counters) *runner {
	r := &runner{counters: counters}
	groups := [][]stage{append([]stage(nil), front...)}
	switch {
	case threads <= 1:
		groups[0] = append(append(groups[0], shards...), back)
	default:
		if threads > len(shards)+1 {
			groups = append(groups, []stage{back})
			threads = len(shards) + 1
		} else {
			groups[0] = append(groups[0], back)
		}
		dealt := make([][]stage, min(threads-1, len(shards)))
		for i, s := range shards {
			dealt[i%len(dealt)] = append(dealt[i%len(dealt)], s)
		}
		groups = append(groups, dealt...)
	}
	for _, stages := range groups {
		r.pumps = append(r.pumps, &pump{runner: r, stages: stages, waker: ringbuf.NewWaker()})
	}
	r.isSolo = len(r.pumps) == 1
	return r
}

func (r *runner) start() {
	for _, p := range r.pumps {
		r.group.Go(p.run)
	}
}

func (r *runner) stop() {
	r.stopping.Store(true)
	r.wake()
	r.group.Wait()
}

// wake tells every pump that there is work: callable from any goroutine.
func (r *runner) wake() {
	for _, p := range r.pumps {
		p.waker.Wake()
	}
}

// help has the pipeline take notice of a ticket that was just published, and runs it on
// the caller's goroutine if nobody else does.
func (r *runner) help(t *ticket) {
	if r.isSolo {
		r.pumps[0].help(t)
		return
	}
	r.pumps[0].waker.Wake()
}

// kick has the pipeline take notice of something published, and returns at once.
func (r *runner) kick() { r.pumps[0].waker.Wake() }

// States of a pump's baton.
const (
	batonFree  uint32 = iota
	batonHeld         // somebody runs the stages
	batonDirty        // and shall look again before giving it back: something was published
)

// pump runs a set of stages. Whoever holds its baton runs them, the pump's own goroutine
// or a caller that found it free; nobody ever waits for it. A caller that finds it held
// marks it, and the holder cannot give a marked baton back without another round: so
// nothing published goes unseen.
type pump struct {
	baton  atomic.Uint32
	_      [cacheLine]byte
	runner *runner
	stages []stage
	waker  *ringbuf.Waker
}

// poll runs every stage once, in the order of the data.
func (p *pump) poll() (work int) {
	for _, s := range p.stages {
		work += s.Poll()
	}
	return work
}

// take takes the baton, or marks it for its holder.
func (p *pump) take() bool {
	for {
		switch p.baton.Load() {
		case batonFree:
			if p.baton.CompareAndSwap(batonFree, batonHeld) {
				return true
			}
		case batonHeld:
			if p.baton.CompareAndSwap(batonHeld, batonDirty) {
				return false
			}
		default:
			return false
		}
	}
}

// give gives the baton back, unless it was marked: then the holder has to go on.
func (p *pump) give() bool {
	if p.baton.CompareAndSwap(batonHeld, batonFree) {
		return true
	}
	p.baton.Store(batonHeld)
	return false
}

// drive polls until nothing is left to do, and reports how much was. If somebody else
// runs the stages there is nothing to do here.
func (p *pump) drive() (work int) {
	if !p.take() {
		return 0
	}
	defer p.crash()
	for {
		n := p.poll()
		if n > 0 {
			work += n
			p.wakeOthers()
			if p.runner.isSolo && p.runner.hasBackground() {
				runtime.Gosched() // a sweep is never in a hurry, whoever comes back from the disk is
			}
		}
		if p.isOver(n) && p.give() {
			return work
		}
	}
}

// isOver reports whether another round, after one that did so much work, finds nothing to
// do: because this one found nothing, or because one that ran all stages in the order of
// the data has left nothing in them. Whoever publishes something new marks the baton.
func (p *pump) isOver(work int) bool { return work == 0 || p.runner.isSolo && p.runner.isDrained() }

// wakeOthers tells the other pumps that a stage of this one has moved.
func (p *pump) wakeOthers() {
	for _, other := range p.runner.pumps {
		if other != p {
			other.waker.Wake()
		}
	}
}

// help runs the pump for a caller, if it is free, until the caller's ticket is done. What
// is still on its way then goes to the pump's own goroutine.
//
// Against callers that always wake the pump's goroutine and sleep, ns per command, best
// and median of 7 interleaved runs of BenchmarkSubmit/shards=1 (2 cores of an EPYC, load
// above 4 from others, 2026-11):
//
//	1 caller, batch of 1       552,  919 against  735, 1657
//	1 caller, batch of 256     183,  401 against  162,  234
//	64 callers, batch of 1     515,  853 against 1214, 2060
//	64 callers, batch of 256   555,  688 against  667,  921
func (p *pump) help(t *ticket) {
	const roundsMax = 2 // after the ticket is done, to finish what came along
	if t.isDone() || !p.take() {
		return
	}
	defer p.crash()
	p.runner.counters.add(CounterHelped, 1)
	for rounds := 0; ; {
		if p.isOver(p.poll()) && p.give() {
			return
		}
		if !t.isDone() {
			if p.runner.hasBackground() {
				runtime.Gosched() // as in drive
			}
			continue
		}
		if rounds++; rounds > roundsMax {
			p.baton.Store(batonFree)
			p.waker.Wake()
			p.runner.counters.add(CounterHandedOver, 1)
			return
		}
	}
}

// crash sees to it that a bug in a stage stops the engine even where a caller recovers:
// the baton stays taken, and everybody who waits is told.
func (p *pump) crash() {
	if r := recover(); r != nil {
		p.runner.fail(fmt.Errorf("engine: stopped by a panic: %v", r))
		panic(r)
	}
}

// run is the pump's own goroutine: work, then yield, then park.
func (p *pump) run() {
	// The callers use the cores too: to them a pump that spins is a core less.
	spins, yields := ringbuf.DefaultIdle(runtime.GOMAXPROCS(0), 2*len(p.runner.pumps)+1)
	idler := ringbuf.NewIdler(spins, yields, p.waker)
	for !p.runner.stopping.Load() {
		idler.Wait(p.drive())
	}
	idler.Reset()
}
