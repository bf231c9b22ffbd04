package engine

import (
	"fmt"
	"sync/atomic"

	"plimsoll/fixedpoint"
	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// egress is the gate: it walks the same order as the shards, one item behind the slowest,
// merges their events, and only then lets results and events out.
type egress struct {
	ring    *ringbuf.Broadcast[risk.Command]
	reader  int
	tickets *ticketTable
	history *history

	followers *ringbuf.SPSC[follower]
	counters  *counters
	tracer    *tracer
	cfg       *Config
	pollMax   int

	clients  []*resultWindow // by client, made with its first id
	idWindow int
	idHash   fixedpoint.Hash128 // sum over all remembered ids

	keeps    bool          // there is a journal: what it needs is noted
	isReplay bool          // recovery, before Start
	reasons  []risk.Reason // in replay: answers of the groups since it was emptied
	collects bool          // in replay: the public events are wanted, all of them
	replayed []risk.Event  // and these came since it was emptied
	timeline timeline
	released atomic.Uint64     // last Seq let out, shown; pairs with build in the journaler
	shares   [shareCount]share // idHash as of the last markers
	snapshot *atomic.Pointer[capture]
	capture  *capture // the one under way, or nil
	backlog  [][]byte // ids encoded because they were about to be forgotten
	buffer   []byte   // of the lane, under construction
	client0  int      // clients before it are captured

	head     *risk.Command // first record of the current item, in the ring; valid while isBusy
	isBusy   bool
	size     int    // records of the current item
	passed   int    // records let out and not yet released: see flush
	end      uint64 // place after the current item
	outboxes []outbox
	seq      uint64 // last Seq released
	public   uint32 // public events of the current item so far
	result   Result // of the current item
	answered int    // answers to the current item

	answers, refused, events uint64 // counts since the last flush
}

// outbox is what egress knows of the outbox of a shard.
type outbox struct {
	s       *shard
	reached uint64 // place that the shard had reached when last looked
	taken   int    // events merged and not yet released
	ready   int    // events behind those
}

func newEgress(ring *ringbuf.Broadcast[risk.Command], shards []*shard, tickets *ticketTable, c *conflator,
	counters *counters, cfg *Config,
) *egress {
	_, keepsNothing := cfg.Journal.(NoJournal)
	g := &egress{
		keeps: !keepsNothing, timeline: timeline{stepMs: cfg.ClockStepMsMax},
		ring: ring, reader: len(shards), tickets: tickets, counters: counters, cfg: cfg, pollMax: cfg.PollMax,
		history: newHistory(cfg.EventHistory), followers: c.followers,
		clients: make([]*resultWindow, cfg.ClientsMax), idWindow: cfg.IDWindow,
	}
	for _, s := range shards {
		g.outboxes = append(g.outboxes, outbox{s: s})
	}
	return g
}

// Poll releases items and merges events, at most pollMax of either.
func (g *egress) Poll() (work int) {
	for items := 0; work < g.pollMax; {
		if !g.isBusy && !g.take() {
			break
		}
		merged, isWhole := g.merge(g.pollMax - work)
		work += merged
		if !isWhole {
			break
		}
		g.release()
		g.passed += g.size
		work++
		if items++; items%flushEvery == 0 {
			g.flush()
		}
	}
	if work > 0 {
		g.flush()
	}
	if g.capture != nil {
		work += g.sweep(work > 0)
	}
	return work
}

// flush shows what was let out since the last one to readers of events, and gives room back.
func (g *egress) flush() {
	g.history.publish()
	if g.keeps {
		g.released.Store(g.seq)
	}
	if g.passed > 0 {
		g.ring.Release(g.reader, g.passed)
		g.passed = 0
	}
	for i := range g.outboxes {
		if o := &g.outboxes[i]; o.taken > 0 {
			o.s.out.Release(o.taken)
			o.taken = 0
		}
	}
	if g.answers > 0 {
		g.counters.add(CounterAnswered, g.answers)
	}
	if g.refused > 0 {
		g.counters.add(CounterRefused, g.refused)
	}
	if g.events > 0 {
		g.counters.add(CounterEvents, g.events)
	}
	g.answers, g.refused, g.events = 0, 0, 0
}

// take starts the next item.
func (g *egress) take() bool {
	if g.ring.Available(g.reader) == g.passed {
		return false
	}
	g.head = g.ring.Peek(g.reader, g.passed)
	g.size = int(g.head.GroupLeft) + 1
	g.end += uint64(g.size)
	g.isBusy = true
	g.public, g.answered = 0, 0
	return true
}

// merge takes up to most events of the current item from the outboxes, in order. isWhole
// tells that every shard is done with the item and none has an event of it left.
//
// A shard is asked for its place first and for its events second: when it was done, all
// its events of the item are there to see. An event may go before a shard is done if
// every other shard that is not done shows one that comes later.
func (g *egress) merge(most int) (merged int, isWhole bool) {
	isEventful := !isMarker(g.head)
	for {
		var first *risk.Event
		var from *outbox
		for i := range g.outboxes {
			o := &g.outboxes[i]
			if o.reached < g.end {
				o.reached = o.s.done.load()
			}
			if isEventful {
				if e := o.peek(); e != nil && e.Seq == g.head.Seq {
					if from == nil || e.Before(first) {
						first, from = e, o
					}
					continue
				}
			}
			if o.reached < g.end {
				return merged, false
			}
		}
		if from == nil {
			return merged, true
		}
		if merged == most {
			return merged, false
		}
		g.keep(first)
		from.taken++
		from.ready--
		merged++
	}
}

// peek returns the next event of a shard, or nil.
func (o *outbox) peek() *risk.Event {
	if o.ready == 0 {
		o.ready = o.s.out.Available() - o.taken
	}
	if o.ready == 0 {
		o.ready = o.s.out.Available() - o.taken // the first may be an old view, the second is not
	}
	if o.ready == 0 {
		return nil
	}
	return o.s.out.Peek(o.taken)
}

// keep takes one event in: the answer is held back until release, the others are written
// to the history, where nobody sees them yet.
func (g *egress) keep(e *risk.Event) {
	if e.Kind == risk.EventResult {
		g.result = Result{
			Seq: e.Seq, TimeMs: e.TimeMs, Reason: e.Reason, Rule: e.Rule, Field: e.Field,
			HasAmounts:         e.Flags&risk.EventHasAmounts != 0,
			UnknownOrder:       e.Flags&risk.EventUnknownOrder != 0,
			UnknownLiquidation: e.Flags&risk.EventUnknownLiquidation != 0,
		}
		if g.result.HasAmounts {
			g.result.Required, g.result.Available, g.result.Decimals = e.Amount, e.Amount2, e.Decimals
		}
		g.answered++
		return
	}
	g.public++
	g.history.append(e, g.public)
	g.events++
	if g.collects {
		g.replayed = append(g.replayed, *e)
		g.replayed[len(g.replayed)-1].N = g.public
	}
}

// release lets the current item out.
func (g *egress) release() {
	g.isBusy = false
	switch g.head.Kind { //nolint:exhaustive // markers; commands are the rest
	case kindRead, kindReadAll:
		t := g.tickets.at(g.head.Ticket)
		t.seq, t.idHash = g.seq, g.idHash
		g.counters.add(CounterReads, 1)
		g.history.publish()
		t.complete()
	case kindHash:
		g.shares[shareHashPoint].store(g.seq, g.idHash)
	case kindSnapshot:
		g.shares[shareSnapshot].store(g.seq, g.idHash)
		g.beginCapture(g.head.Aux)
	case kindRepeat:
		r := *g.client(g.head.Client).at(g.head.Aux)
		r.IsDuplicate = true
		g.counters.add(CounterRepeats, 1)
		g.tell(&r)
	default:
		g.releaseGroup()
	}
}

// releaseGroup publishes a group's events, remembers its result and answers it.
func (g *egress) releaseGroup() {
	if g.answered != 1 {
		panic(fmt.Sprintf("engine: BUG: seq %d of kind %d has %d answers", g.head.Seq, g.head.Kind, g.answered))
	}
	g.seq = g.head.Seq
	if g.keeps {
		g.timeline.follow(g.head)
	}
	if g.isReplay {
		g.reasons = append(g.reasons, g.result.Reason)
	}
	g.history.seal()
	if g.head.Ticket&ticketTraced != 0 {
		g.traceReleased(g.head.Ticket, g.public > 0 && g.head.Kind == risk.KindPrices)
	}
	g.answers++
	if g.result.Reason != risk.ReasonNone {
		g.refused++
	}
	if g.head.IDForm != risk.FormNone {
		g.remember(&g.result)
	}
	if g.isFollowed() {
		g.tellAll()
		return
	}
	g.tell(&g.result)
}

// remember keeps the result of a command with an id. The ids are part of the state: a
// repeat is answered differently from a command never seen.
func (g *egress) remember(r *Result) {
	client, id := g.head.Client, idOf(g.head)
	w := g.client(client)
	g.idHash = g.idHash.Add(hashID(client, id))
	if old := w.leaving(); old != nil {
		g.idHash = g.idHash.Sub(hashID(client, old.id))
		if w.swept != w.sweepEnd && w.swept == w.oldest() {
			g.forget(client, w, old)
		}
	}
	w.add(id, r)
}

// tell hands a result to whoever waits for it. With the last of a batch its caller goes on,
// and must find the events of all.
func (g *egress) tell(r *Result) { g.tellTicket(g.tickets.at(g.head.Ticket), r) }

func (g *egress) tellTicket(t *ticket, r *Result) {
	if t != nil && t.deliver(r) {
		g.history.publish()
		t.complete()
	}
}

// client returns the results kept for a client.
func (g *egress) client(client uint16) *resultWindow {
	w := g.clients[client]
	if w == nil {
		w = newResultWindow(g.idWindow)
		g.clients[client] = w
	}
	return w
}

// seedID keeps hashed ids apart from what the machine hashes.
const seedID = 0x6964

// hashID returns an id's share of the state hash.
func hashID(client uint16, id idKey) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seedID)
	mix.U64(uint64(client) | uint64(id.form)<<16)
	mix.U64(id.hi)
	mix.U64(id.lo)
	return mix.Sum()
}
