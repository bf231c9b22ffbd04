package engine

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"plimsoll/fixedpoint"
	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// Engine is the pipeline around the machines: see the picture in doc.go.
type Engine struct {
	cfg      Config
	tickets  *ticketTable
	counters *counters

	ingress   *ringbuf.MPSC[risk.Command]
	sequencer *sequencer
	journaler *journaler
	shards    []*shard
	egress    *egress
	stages    []stage // all of them, in the order of the data
	runner    *runner

	closing atomic.Bool
	started bool
	closed  sync.Once
	fault   atomic.Pointer[error] // the first fault; set before failed is closed
	failed  chan struct{}
}

// New returns an engine with empty machines. It does nothing before Start.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	machines := make([]machine, cfg.Shards)
	for i := range machines {
		machines[i] = risk.New(risk.Config{
			Shard: uint32(i), Shards: uint32(cfg.Shards), AccountsMax: cfg.AccountsMax,
		})
	}
	return wire(cfg, machines), nil
}

// wire puts the stages together, in the order in which data meets them.
func wire(cfg Config, machines []machine) *Engine {
	e := &Engine{cfg: cfg, tickets: newTicketTable(cfg.Tickets), counters: &counters{}, failed: make(chan struct{})}

	// 1. Callers claim places in ingress.
	e.ingress = ringbuf.NewMPSC[risk.Command](cfg.IngressSlots)

	// 2. The sequencer gives every group its Seq and time: into the order that every shard
	// and egress read, or first into the ring of the journaler.
	order := ringbuf.NewBroadcast[risk.Command](cfg.BroadcastSlots, len(machines)+1)
	out := outlet{order: order}
	if _, nothing := cfg.Journal.(NoJournal); !nothing {
		out = outlet{ring: ringbuf.NewSPSC[risk.Command](cfg.SequenceSlots)}
	}
	e.sequencer = newSequencer(e.ingress, out, e.counters, &cfg)

	// 3. The journaler passes on what is durable.
	e.journaler = newJournaler(out.ring, order, e.counters, &cfg, e.fail)

	// 4. The shards apply it.
	for i, m := range machines {
		e.shards = append(e.shards, newShard(i, m, &cfg))
	}
	for _, s := range e.shards {
		s.ring, s.tickets, s.all = order, e.tickets, e.shards
	}

	// 5. Egress releases what every shard has applied.
	e.egress = newEgress(order, e.shards, e.tickets, e.counters, &cfg)

	front := []stage{e.sequencer}
	if e.journaler.keeps {
		front = append(front, e.journaler)
	}
	shards := make([]stage, len(e.shards))
	for i, s := range e.shards {
		shards[i] = s
	}
	e.stages = append(append(append(e.stages, front...), shards...), e.egress)
	e.runner = newRunner(front, shards, e.egress, threadsOf(&cfg), e.counters)
	e.runner.fail, e.runner.isDrained = e.fail, e.isDrained
	return e
}

// isDrained reports whether nothing is between ingress and the callers. It may be asked by
// whoever runs all stages.
func (e *Engine) isDrained() bool {
	return e.sequencer.isDry && e.egress.end == e.sequencer.out.place && !e.egress.isBusy
}

// threadsOf chooses how many goroutines run the stages: on two cores or fewer one, and
// otherwise one for the front and one a shard as far as half the cores go. The other half
// belongs to the callers, who do most of the work: text, sockets, system calls.
func threadsOf(cfg *Config) int {
	if cfg.Threads > 0 {
		return cfg.Threads
	}
	if cores := runtime.GOMAXPROCS(0); cores > 2 {
		return min(max(1, cores/2), cfg.Shards+1)
	}
	return 1
}

// Replay applies groups that already have Seq and time, as the journal kept them: before
// Start, on the caller's goroutine. They are neither journaled nor answered.
func (e *Engine) Replay(frame []risk.Command) error {
	if e.started {
		panic("engine: BUG: Replay after Start")
	}
	e.sequencer.isReplay, e.journaler.isReplay = true, true
	defer func() { e.sequencer.isReplay, e.journaler.isReplay = false, false }()
	if _, err := e.check(frame); err != nil {
		return fmt.Errorf("replay after seq %d: %w", e.sequencer.seq, err)
	}
	for at := 0; at < len(frame); {
		head := &frame[at]
		size := int(head.GroupLeft) + 1
		if head.Seq != e.sequencer.seq+1 {
			return fmt.Errorf("engine: replay: seq %d follows %d", head.Seq, e.sequencer.seq)
		}
		first, ok := e.ingress.TryClaim(size)
		if !ok {
			panic("engine: BUG: ingress is full in replay")
		}
		for i := range size {
			slot := e.ingress.Slot(first + uint64(i))
			*slot = frame[at+i]
			slot.Ticket = 0
		}
		e.ingress.Publish(first, size)
		for e.egress.seq < head.Seq {
			for _, s := range e.stages {
				s.Poll()
			}
		}
		at += size
	}
	return nil
}

// Start opens the engine for Submit and Read.
func (e *Engine) Start() {
	e.started = true
	e.cfg.Journal.Start(e.runner.wake)
	e.runner.start()
}

// Close lets nothing new in, waits until everything in flight is answered, and stops. A
// ticket of SubmitAsync counts as in flight until Wait.
func (e *Engine) Close() {
	e.closed.Do(func() {
		e.closing.Store(true)
		for held := 0; e.started && held < e.cfg.Tickets && e.fault.Load() == nil; {
			if e.tickets.take() != nil {
				held++
				continue
			}
			e.runner.wake()
			runtime.Gosched()
		}
		e.runner.stop()
	})
}

// fail records the first fault and releases everybody who waits.
func (e *Engine) fail(err error) {
	if e.fault.CompareAndSwap(nil, &err) {
		close(e.failed)
	}
}

// Failed is closed when the engine can acknowledge nothing any more; Fault says why.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

// Fault returns what stopped the engine, or nil.
func (e *Engine) Fault() error {
	if err := e.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// EventsAfter appends the public events that follow event n of seq, oldest first, as far
// as dst has room (256 if it has none). In the public stream Event.N counts the events of
// a Seq from 1. ErrHistory says that some in between are no longer kept.
func (e *Engine) EventsAfter(seq uint64, n uint32, dst []risk.Event) ([]risk.Event, error) {
	const room = 256
	have := len(dst)
	if cap(dst) == have {
		dst = append(dst, make([]risk.Event, room)...)
	}
	dst = dst[:cap(dst)]
	count, isWhole := e.egress.history.after(seq, n, dst[have:])
	if !isWhole {
		return dst[:have], ErrHistory
	}
	return dst[:have+count], nil
}

// EventsPublished returns how many public events there have been: it moves when
// EventsAfter has something new.
func (e *Engine) EventsPublished() uint64 { return e.egress.history.published.Load() }

// Count returns a counter.
func (e *Engine) Count(n Counter) uint64 { return e.counters.at(n).Load() }

// StateHash returns the state hash and the Seq that it belongs to. It visits every entity
// on the shards' goroutines, so nothing else is applied meanwhile.
func (e *Engine) StateHash() (hash fixedpoint.Hash128, seq uint64, err error) {
	shares := make([]fixedpoint.Hash128, len(e.shards))
	seq, hash, err = e.read(&risk.Command{Kind: kindReadAll}, nil, func(shard int, _ *risk.Machine) {
		shares[shard] = e.shards[shard].m.StateHash()
	})
	if err != nil {
		return fixedpoint.Hash128{}, 0, errors.Join(errors.New("engine: state hash"), err)
	}
	for _, share := range shares {
		hash = hash.Add(share)
	}
	return hash, seq, nil
}

// Status is how far each stage is. Depths count records.
type Status struct {
	Sequenced      uint64   // last Seq given
	Durable        uint64   // last Seq that may be applied
	Applied        []uint64 // last Seq applied, by shard
	NothingIsKept  bool     // no journal: a restart forgets
	IngressDepth   int      // waiting for the sequencer
	SequenceDepth  int      // sequenced and not yet durable
	BroadcastDepth int      // durable and not yet passed by the slowest of shards and egress
	OutboxDepths   []int    // events not yet merged, by shard
	Events         uint64   // public events so far
}

// Status returns how far each stage is, without stopping any: the figures are not of one
// instant.
func (e *Engine) Status() Status {
	s := Status{
		Sequenced: e.sequencer.sequenced.Load(), NothingIsKept: !e.journaler.keeps, Events: e.EventsPublished(),
		IngressDepth: e.ingress.Len(), BroadcastDepth: e.journaler.out.Len(),
	}
	s.Durable = s.Sequenced
	if e.journaler.keeps {
		s.Durable, s.SequenceDepth = e.journaler.durable.Load(), e.journaler.in.Len()
	}
	for _, shard := range e.shards {
		s.Applied = append(s.Applied, shard.applied.load())
		s.OutboxDepths = append(s.OutboxDepths, shard.out.Len())
	}
	return s
}
