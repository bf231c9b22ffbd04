package engine

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// egress is the gate: it walks the same order as the shards, one item behind the slowest,
// merges their events, and only then lets results and events out.
type egress struct {
	ring     *ringbuf.Broadcast[risk.Command]
	reader   int
	shards   []*shard
	tickets  *ticketTable
	history  *history
	counters *counters
	pollMax  int

	clients  []*resultWindow // by client, made with its first id
	idWindow int
	idHash   fixedpoint.Hash128 // sum over all remembered ids

	head     risk.Command // first record of the current item; valid while isBusy
	isBusy   bool
	end      uint64 // place after the current item
	reached  []uint64
	seq      uint64 // last Seq released
	public   uint32 // public events of the current item so far
	answer   risk.Event
	answered int // answers to the current item

	refused, events uint64 // counts of this Poll
}

func newEgress(ring *ringbuf.Broadcast[risk.Command], shards []*shard, tickets *ticketTable, counters *counters,
	cfg *Config,
) *egress {
	return &egress{
		ring: ring, reader: len(shards), shards: shards, tickets: tickets, counters: counters, pollMax: cfg.PollMax,
		history: newHistory(cfg.EventHistory), reached: make([]uint64, len(shards)),
		clients: make([]*resultWindow, cfg.ClientsMax), idWindow: cfg.IDWindow,
	}
}

// Poll releases items and merges events, at most pollMax of either.
func (g *egress) Poll() (work int) {
	var answers uint64
	for work < g.pollMax {
		if !g.isBusy && !g.take() {
			break
		}
		merged, isWhole := g.merge(g.pollMax - work)
		work += merged
		if !isWhole {
			break
		}
		if !isMarker(&g.head) {
			answers++
		}
		g.release()
		work++
	}
	if answers > 0 {
		g.counters.add(CounterAnswered, answers)
	}
	if g.refused > 0 {
		g.counters.add(CounterRefused, g.refused)
	}
	if g.events > 0 {
		g.counters.add(CounterEvents, g.events)
	}
	g.refused, g.events = 0, 0
	return work
}

// take starts the next item.
func (g *egress) take() bool {
	if g.ring.Available(g.reader) == 0 {
		return false
	}
	g.head = *g.ring.Peek(g.reader, 0)
	size := int(g.head.GroupLeft) + 1
	g.ring.Release(g.reader, size)
	g.end += uint64(size)
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
	isEventful := !isMarker(&g.head)
	for {
		var first *risk.Event
		from := -1
		for i, s := range g.shards {
			if g.reached[i] < g.end {
				g.reached[i] = s.done.load()
			}
			if isEventful && s.out.Available() > 0 {
				if e := s.out.Peek(0); e.Seq == g.head.Seq {
					if from < 0 || e.Before(first) {
						first, from = e, i
					}
					continue
				}
			}
			if g.reached[i] < g.end {
				return merged, false
			}
		}
		if from < 0 {
			return merged, true
		}
		if merged == most {
			return merged, false
		}
		g.keep(first)
		g.shards[from].out.Release(1)
		merged++
	}
}

// keep takes one event in: the answer is held back until release, the others are written
// to the history, where nobody sees them yet.
func (g *egress) keep(e *risk.Event) {
	if e.Kind == risk.EventResult {
		g.answer = *e
		g.answered++
		return
	}
	g.public++
	g.history.append(e, g.public)
	g.events++
}

// release lets the current item out.
func (g *egress) release() {
	g.isBusy = false
	switch g.head.Kind { //nolint:exhaustive // markers; commands are the rest
	case kindRead, kindReadAll:
		t := g.tickets.at(g.head.Ticket)
		t.seq, t.idHash = g.seq, g.idHash
		g.counters.add(CounterReads, 1)
		t.complete()
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
	g.history.publish()
	a := &g.answer
	r := Result{
		Seq: g.seq, TimeMs: a.TimeMs, Reason: a.Reason, Rule: a.Rule, Field: a.Field,
		HasAmounts:   a.Flags&risk.EventHasAmounts != 0,
		UnknownOrder: a.Flags&risk.EventUnknownOrder != 0,
	}
	if r.HasAmounts {
		r.Required, r.Available, r.Decimals = a.Amount, a.Amount2, a.Decimals
	}
	if r.Reason != risk.ReasonNone {
		g.refused++
	}
	if g.head.IDForm != risk.FormNone {
		g.remember(&r)
	}
	g.tell(&r)
}

// remember keeps the result of a command with an id. The ids are part of the state: a
// repeat is answered differently from a command never seen.
func (g *egress) remember(r *Result) {
	id := idOf(&g.head)
	old, fellOut := g.client(g.head.Client).add(id, r)
	if fellOut {
		h := hashID(g.head.Client, old)
		g.idHash = g.idHash.Add(fixedpoint.Hash128{Hi: ^h.Hi, Lo: ^h.Lo}).Add(fixedpoint.Hash128{Lo: 1})
	}
	g.idHash = g.idHash.Add(hashID(g.head.Client, id))
}

// tell hands a result to whoever waits for it.
func (g *egress) tell(r *Result) {
	if t := g.tickets.at(g.head.Ticket); t != nil {
		t.deliver(r)
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
