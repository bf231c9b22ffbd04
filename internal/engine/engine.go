package engine

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
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
	auditor   *auditor
	tracer    *tracer

	snapshot     atomic.Pointer[capture] // the one asked for last; see capture.go
	lastSnapshot atomic.Pointer[journal.SnapshotInfo]
	recovery     Recovery
	space        func() (free uint64, isLow bool) // of the journal, or nil

	totals totalsDesk // who asks for a pass over all accounts; see totals.go

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
			Shard: uint32(i), Shards: uint32(cfg.Shards), AccountsMax: cfg.AccountsMax, Detect: cfg.Detect,
		})
	}
	return wire(cfg, machines), nil
}

// wire puts the stages together, in the order in which data meets them.
func wire(cfg Config, machines []machine) *Engine {
	e := &Engine{
		cfg: cfg, tickets: newTicketTable(cfg.Tickets), counters: &counters{}, failed: make(chan struct{}),
		totals: newTotalsDesk(), tracer: newTracer(len(machines)),
	}

	// 1. Callers claim places in ingress.
	e.ingress = ringbuf.NewMPSC[risk.Command](cfg.IngressSlots)

	// 2. The sequencer gives every group its Seq and time: into the order that every shard
	// and egress read, or first into the ring of the journaler.
	order := ringbuf.NewBroadcast[risk.Command](cfg.BroadcastSlots, len(machines)+1)
	out := outlet{order: order}
	if _, nothing := cfg.Journal.(NoJournal); !nothing {
		out = outlet{ring: ringbuf.NewSPSC[risk.Command](cfg.SequenceSlots)}
	}
	c := newConflator(&cfg)
	e.sequencer = newSequencer(e.ingress, out, c, e.counters, &cfg)

	// 3. The journaler passes on what is durable.
	e.journaler = newJournaler(out.ring, order, e.counters, &cfg, e.fail)

	// 4. The shards apply it.
	for i, m := range machines {
		e.shards = append(e.shards, newShard(i, m, &cfg))
	}
	for _, s := range e.shards {
		s.ring, s.tickets, s.all, s.snapshot, s.conflator = order, e.tickets, e.shards, &e.snapshot, c
		s.tracer = e.tracer
	}

	// 5. Egress releases what every shard has applied.
	e.egress = newEgress(order, e.shards, e.tickets, c, e.counters, &cfg)
	e.egress.snapshot = &e.snapshot
	e.journaler.snapshot, e.journaler.collect, e.journaler.released = &e.snapshot, e.collect, &e.egress.released

	e.sequencer.tracer, e.journaler.tracer, e.egress.tracer = e.tracer, e.tracer, e.tracer
	e.sequencer.tickets, e.journaler.tickets = e.tickets, e.tickets

	c.shards, c.durable = e.shards, &e.sequencer.sequenced
	if e.journaler.keeps {
		c.durable = &e.journaler.durable
	}

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
	e.runner.fail, e.runner.isDrained, e.runner.hasBackground = e.fail, e.isDrained, e.hasBackground
	e.auditor = newAuditor(e)
	e.useJournal(cfg.Journal)
	return e
}

// useJournal takes note of what the journal has beyond its interface.
func (e *Engine) useJournal(j Journal) {
	e.cfg.Journal, e.journaler.journal = j, j
	if spacious, ok := j.(interface {
		Space() (free uint64, isLow bool)
	}); ok {
		e.space = spacious.Space
	}
}

// Space returns how many bytes are free where the journal is kept, and whether that is too
// little for commands; (0, false) without a journal that knows.
func (e *Engine) Space() (free uint64, isLow bool) {
	if e.space == nil {
		return 0, false
	}
	return e.space()
}

// isDrained reports whether nothing is between ingress and the callers, and nothing is
// going on beside the order. It may be asked by whoever runs all stages.
func (e *Engine) isDrained() bool {
	return e.sequencer.isDry && e.egress.end == e.sequencer.out.place+e.journaler.injected && !e.egress.isBusy &&
		!e.hasDuty()
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

// Start opens the engine for Submit and Read.
func (e *Engine) Start() {
	e.started = true
	e.gaugeAll()
	e.cfg.Journal.Start(e.runner.wake)
	e.runner.start()
	e.auditor.start()
}

// Close lets nothing new in, waits until everything in flight is answered, stops, and
// closes the journal. A ticket of SubmitAsync counts as in flight until Wait.
func (e *Engine) Close() {
	e.closed.Do(func() {
		e.auditor.stop()
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
		if closer, ok := e.cfg.Journal.(interface{ Close() error }); ok {
			if err := closer.Close(); err != nil {
				e.fail(fmt.Errorf("engine: close the journal: %w", err))
			}
		}
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
		return dst[:have], e.historyGone()
	}
	return dst[:have+count], nil
}

// EventsPublished returns how many public events there have been: it moves when
// EventsAfter has something new.
func (e *Engine) EventsPublished() uint64 { return e.egress.history.published.Load() }

// Count returns a counter.
func (e *Engine) Count(n Counter) uint64 { return e.counters.at(n).Load() }

// StateHash returns the state hash and the Seq that it belongs to. It visits the accounts
// that were touched since it was last asked, on the shards' goroutines.
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
	ReadOnly       bool     // the disk is nearly full: commands get ErrReadOnly
	Term           uint64   // of the journal; 0 without one
	IngressDepth   int      // waiting for the sequencer
	SequenceDepth  int      // sequenced and not yet durable
	BroadcastDepth int      // durable and not yet passed by the slowest of shards and egress
	OutboxDepths   []int    // events not yet merged, by shard
	Events         uint64   // public events so far

	ConflatedTicks  uint64 // ticks that were merged into the one before them
	ConflatedPrices uint64 // prices in them that a newer one replaced

	LastSnapshot *journal.SnapshotInfo // newest that was published, or nil; not to be changed
	Recovery     Recovery              // what Recover found
	Bands        risk.BandStats        // of all shards, as of their last beat
}

// Status returns how far each stage is, without stopping any: the figures are not of one
// instant.
func (e *Engine) Status() Status {
	s := Status{
		Sequenced: e.sequencer.sequenced.Load(), NothingIsKept: !e.journaler.keeps, Events: e.EventsPublished(),
		IngressDepth: e.ingress.Len(), BroadcastDepth: e.journaler.out.Len(),
	}
	s.ConflatedTicks, s.ConflatedPrices = e.Count(CounterConflatedTicks), e.Count(CounterConflatedPrices)
	s.Recovery, s.LastSnapshot, s.ReadOnly = e.recovery, e.lastSnapshot.Load(), e.isReadOnly()
	if t, ok := e.cfg.Journal.(interface{ Term() uint64 }); ok {
		s.Term = t.Term()
	}
	s.Durable = s.Sequenced
	if e.journaler.keeps {
		s.Durable, s.SequenceDepth = e.journaler.durable.Load(), e.journaler.in.Len()
	}
	for _, shard := range e.shards {
		s.Applied = append(s.Applied, shard.applied.load())
		s.OutboxDepths = append(s.OutboxDepths, shard.out.Len())
		bands := shard.bands.stats()
		s.Bands.Add(&bands)
	}
	return s
}

// isReadOnly reports whether commands are turned away for want of disk space.
func (e *Engine) isReadOnly() bool {
	if e.space == nil {
		return false
	}
	_, isLow := e.space()
	return isLow
}
