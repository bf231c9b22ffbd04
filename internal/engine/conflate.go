package engine

import (
	"sync/atomic"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// batchHead in Seq marks the first record of a batch, from ingress to the sequencer.
const batchHead = 1

// pricesPerRecord is how many prices one record of a tick holds.
const pricesPerRecord = 4

// follower is a caller whose tick went into the group that another's began.
type follower struct {
	seq    uint64 // of the group
	ticket uint32
}

// conflator merges ticks that wait side by side in ingress into one: of each name the
// newest price (docs/decisions/0008-conflation.md). All of it is the sequencer's, but for
// quotes, which shard 0 writes, and followers, which egress reads.
type conflator struct {
	isOn    bool // by the wall clock only: by commands equal sequences give equal state
	isAlone bool // one thread runs all stages: the sequencer never runs ahead of the shards

	quotes    atomic.Pointer[risk.Quotes] // pairs: quote in shard 0 with merge
	quotedSeq atomic.Uint64               // the listing that they follow; stored after them
	listedSeq uint64                      // the last listing that was sequenced
	followers *ringbuf.SPSC[follower]
	shards    []*shard
	durable   *atomic.Uint64 // last Seq that the shards may apply
	recent    [2]uint64      // Seq of the tick before the last, and of the last

	merged   []risk.Command // the tick under construction
	names    []mergedPrice  // by risk.PricePlaces: where it has which price
	round    uint32         // number of the tick under construction
	count    int            // prices in it
	replaced int            // prices that a newer one took the place of
	tickets  []uint32       // of its callers, after the first
	places   []uint16       // scratch: of the prices of one tick
}

// mergedPrice is where the tick of a round has a price: record x 4 + index.
type mergedPrice struct{ round, at uint32 }

func newConflator(cfg *Config) *conflator {
	c := &conflator{isOn: cfg.Clock == ClockWall && !cfg.everyTick, isAlone: threadsOf(cfg) == 1}
	room := 2
	for room <= cfg.Tickets { // a ticket follows once at most: with the first group of its batch
		room *= 2
	}
	c.followers = ringbuf.NewSPSC[follower](room)
	if c.isOn {
		c.merged, c.places = make([]risk.Command, 0, cfg.GroupMax), make([]uint16, 0, pricesPerRecord*cfg.GroupMax)
		c.names, c.tickets = make([]mergedPrice, risk.PricePlaces), make([]uint32, 0, cfg.Tickets)
	}
	return c
}

// sequenceTick passes on the tick at the head of ingress, as one group with the ticks that
// wait right behind it. It reports how many groups and records of ingress that took; none
// when there is no room, or while the shards have ticks enough and more may come to merge.
func (q *sequencer) sequenceTick(head *risk.Command, size int, nowMs int64) (groups, records int) {
	c := q.conflator
	if q.isCrowded() && q.isRunOpen(size) || !q.out.claim(size) {
		return 0, 0
	}
	if groups, records = q.merge(head, size, nowMs); groups == 1 {
		if !q.stamp(head, nil, size, nowMs) {
			return 0, 0
		}
		c.recent[0], c.recent[1] = c.recent[1], q.seq
		return groups, records
	}
	if !q.stamp(&c.merged[0], c.merged, len(c.merged), nowMs) {
		return 0, 0
	}
	c.recent[0], c.recent[1] = c.recent[1], q.seq
	for i, ticket := range c.tickets {
		*c.followers.Slot(i) = follower{seq: q.seq, ticket: ticket}
	}
	c.followers.Publish(len(c.tickets)) // before the group is shown: egress finds them with it
	q.counters.add(CounterConflatedTicks, uint64(len(c.tickets)))
	q.counters.add(CounterConflatedPrices, uint64(c.replaced)) //nolint:gosec // a count
	return groups, records
}

// isCrowded reports whether some shard still has the tick before the last one to apply,
// though it is past the journal. Another tick would only wait in front of the shards,
// where it cannot be merged any more.
func (q *sequencer) isCrowded() bool {
	c := q.conflator
	seq := c.recent[0]
	if c.isAlone || seq == 0 || seq > c.durable.Load() {
		return false
	}
	for _, s := range c.shards {
		if s.applied.load() < seq {
			return true
		}
	}
	return false
}

// isRunOpen reports whether nothing but ticks waits in ingress, so that the run at its
// head may still grow.
func (q *sequencer) isRunOpen(size int) bool {
	for at := size; q.in.Available(q.taken+at+1) > q.taken+at; at += size {
		if size = q.tickAt(at); size == 0 {
			return false
		}
	}
	return true
}

// tickAt returns the size of the group so many records behind the head of ingress, if it
// is a whole tick that may join those before it: one without an id, whose caller is told
// what became of it by nobody else, and the first of its batch, because a batch has as
// many places as groups.
func (q *sequencer) tickAt(at int) (size int) {
	at += q.taken
	if q.in.Available(at+1) == at {
		return 0
	}
	head := q.in.Peek(at)
	size = int(head.GroupLeft) + 1
	if head.Kind != risk.KindPrices || head.IDForm != risk.FormNone || head.Seq != batchHead ||
		q.in.Available(at+size) < at+size {
		return 0
	}
	return size
}

// merge builds one tick of the run of ticks at the head of ingress, as far as each of them
// would be accepted by itself: then so is their union, and nobody is refused for another's
// fault. One group means that there is nothing to merge.
func (q *sequencer) merge(head *risk.Command, size int, nowMs int64) (groups, records int) {
	c := q.conflator
	next := q.tickAt(size)
	if next == 0 || q.isMidBatch && q.isClockLate(head, nowMs) {
		return 1, size // batches that hang together must not put the clock off for ever
	}
	if c.quotedSeq.Load() < c.listedSeq {
		return 1, size // a listing on its way may say otherwise than the quotes known here
	}
	c.begin()
	quotes := c.quotes.Load()
	if quotes == nil || !q.join(quotes, 0, size, nowMs) {
		return 1, size
	}
	for groups, records = 1, size; next > 0 && c.followers.Claim(groups) == groups; next = q.tickAt(records) {
		if !q.join(quotes, records, next, nowMs) {
			break
		}
		c.tickets = append(c.tickets, q.in.Peek(q.taken+records).Ticket)
		records += next
		groups++
	}
	if groups > 1 {
		c.seal(head)
	}
	return groups, records
}

// join adds the tick so many records behind the head of ingress to the one under
// construction, or nothing of it: a name that is not listed, a price that the machine would
// not take, a time too far ahead or a union above the limit of a group keep it out. A name
// that stands twice in one tick counts twice against the limit.
func (q *sequencer) join(quotes *risk.Quotes, at, size int, nowMs int64) bool {
	c := q.conflator
	head := q.in.Peek(q.taken + at)
	if _, isStep := q.timeOf(head, nowMs); !isStep {
		return false
	}
	fresh := 0
	c.places = c.places[:0]
	for g := range size {
		r := q.in.Peek(q.taken + at + g)
		if r.Kind != risk.KindPrices || r.Mode > pricesPerRecord {
			return false
		}
		for i := range int(r.Mode) {
			place, ok := quotes.Takes(r, i)
			if !ok {
				return false
			}
			if c.names[place].round != c.round {
				fresh++
			}
			c.places = append(c.places, uint16(place)) //nolint:gosec // below risk.PricePlaces
		}
	}
	if c.count+fresh > pricesPerRecord*cap(c.merged) {
		return false
	}
	c.merged[0].TimeMs = max(c.merged[0].TimeMs, head.TimeMs)
	places := c.places
	for g := range size {
		r := q.in.Peek(q.taken + at + g)
		for i := range int(r.Mode) {
			c.put(r, i, places[i])
		}
		places = places[r.Mode:]
	}
	return true
}

// begin starts a tick.
func (c *conflator) begin() {
	if c.round++; c.round == 0 {
		clear(c.names)
		c.round = 1
	}
	c.merged, c.tickets = append(c.merged[:0], risk.Command{Kind: risk.KindPrices}), c.tickets[:0]
	c.count, c.replaced = 0, 0
}

// put sets a price, in the place of an older one if there is one.
func (c *conflator) put(r *risk.Command, i int, place uint16) {
	name := &c.names[place]
	if name.round == c.round {
		c.replaced++
	} else {
		last := len(c.merged) - 1
		if c.merged[last].Mode == pricesPerRecord {
			c.merged = append(c.merged, risk.Command{Kind: risk.KindPrices})
			last++
		}
		name.round, name.at = c.round, uint32(last*pricesPerRecord)+uint32(c.merged[last].Mode) //nolint:gosec // below 4 x GroupMax
		c.count++
	}
	c.merged[name.at/pricesPerRecord].SetPrice(int(name.at%pricesPerRecord), r.PriceKindAt(i), r.Ref[i], r.Num[i], r.Dec[i])
}

// seal makes the merged records one group, that of the first caller.
func (c *conflator) seal(head *risk.Command) {
	for i := range c.merged {
		c.merged[i].GroupLeft = uint16(len(c.merged) - 1 - i) //nolint:gosec // at most GroupMax
	}
	c.merged[0].Client, c.merged[0].Ticket = head.Client, head.Ticket
}

// quote shows the sequencer which prices the machine takes, after the listing seq or a restore.
func (s *shard) quote(seq uint64) {
	if s.conflator.isOn && s.index == 0 {
		s.conflator.quotes.Store(s.m.Quotes())
		s.conflator.quotedSeq.Store(seq)
	}
}

// isListing reports whether a kind may change what Quotes says.
func isListing(kind risk.Kind) bool {
	return kind == risk.KindListToken || kind == risk.KindListPerp || kind == risk.KindListSpot
}

// isFollowed reports whether the current group answers callers besides its own.
func (g *egress) isFollowed() bool {
	return g.head.Kind == risk.KindPrices && g.followers.Available() > 0 && g.followers.Peek(0).seq == g.head.Seq
}

// tellAll answers everybody whose tick is in the current group.
func (g *egress) tellAll() {
	g.result.IsConflated = true
	if g.result.Reason != risk.ReasonNone {
		g.result.Field = fieldUnknown // every part is refused for the same reason, its time
	}
	g.tell(&g.result)
	for g.isFollowed() {
		t := g.tickets.at(g.followers.Peek(0).ticket)
		g.followers.Release(1) // before the caller can take the ticket again
		g.answers++
		if g.result.Reason != risk.ReasonNone {
			g.refused++
		}
		g.tellTicket(t, &g.result)
	}
}

// fieldUnknown in Result.Field names no number: those of a merged tick are nobody's.
const fieldUnknown = 255
