package engine

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// machine is what a shard asks of risk.Machine. It reads a group and writes nothing into
// it: the other shards read the same records. It is an interface because the simulator
// drives the pipeline with a second, much smaller machine that is built to break it.
type machine interface {
	Plan(group []risk.Command) risk.Plan
	PoolCount() int
	OwnTotals(pool int) risk.Totals
	ChangedPools() []uint16
	SetForeign(pool int, totals risk.Totals)
	Apply(group []risk.Command)
	Verdict(group []risk.Command) risk.Verdict
	Prepare(group []risk.Command, verdict risk.Verdict) []risk.Request
	Finish(group []risk.Command, requests []risk.Request) (next []risk.Request, isMore bool)
	Events() []risk.Event
	Prefetch(slots []uint32)
	Quotes() *risk.Quotes
	StateHash() fixedpoint.Hash128
	Checkpoint()
	CheckpointStep(accounts int) (share fixedpoint.Hash128, isEnd bool)
	BeginCapture(dst []byte) []byte
	AppendShared(dst []byte) []byte
	Capture(dst []byte, accounts int) (out []byte, isEnd bool)
	EndCapture()
	CaptureBacklog() int
	HasBandWork() bool
	BandStep(accounts int) bool
	AuditStep(accounts int, dst []risk.BandMiss) (misses []risk.BandMiss, isEnd bool)
	BandCounts() risk.BandStats
	RestoreShared(b []byte) error
	RestoreShard(b []byte) error
	RestoreAccounts(b []byte) error
	FinishRestore() error
}

// phase is how far a shard is with its current item.
type phase uint8

const (
	phaseNext    phase = iota // between items
	phasePlanned              // group copied and planned, not yet applied
	phaseVoting               // joint: own verdict published, waiting for the others'
	phaseAsking               // joint: own requests published, waiting for the others'
	phaseTelling              // applied, events on their way to egress
)

// shard drives one machine over the broadcast order. It publishes four places: done (all
// before it is applied and told), voted and asked (the rounds of joint groups), and for
// people the Seq it has applied.
type shard struct {
	index   int
	m       machine
	real    *risk.Machine // m, or nil in the simulator
	ring    *ringbuf.Broadcast[risk.Command]
	out     *ringbuf.SPSC[risk.Event]
	tickets *ticketTable
	all     []*shard // every shard by index, this one too

	conflator *conflator
	tracer    *tracer
	cfg       *Config
	pollMax   int

	_       [cacheLine]byte // one line of cursors: they have one writer
	done    cursor          // pairs: othersReached in shards, merge in egress
	voted   cursor          // pairs: othersReached
	asked   cursor          // pairs: othersReached
	applied cursor          // Seq; pairs with Status
	_       [cacheLine]byte

	// Written by this shard, read by others between two cursors.
	verdict  risk.Verdict      // from voted until asked
	requests [2][]risk.Request // from asked until every shard has asked in the next round, or is done with the group
	round    uint64            // of the joint group under way
	pools    []versions

	shares   [shareCount]share        // of the state hash, as of the last markers
	snapshot *atomic.Pointer[capture] // the one asked for last
	bands    bandKeeper               // see bands.go

	// Private.
	isReplay  bool        // recovery, before Start
	owed      int         // the share that is being worked off, or shareNone
	owedSeq   uint64      // and the Seq it is of
	capture   *capture    // the one under way, or nil
	buffer    []byte      // of its lane, under construction
	totals    *totalsPass // the one under way, or nil
	totalsAt  time.Time   // when its last slice ended
	phase     phase
	plan      risk.Plan
	ready     int            // records in the ring that are neither passed nor part of the current item
	passed    int            // records done with and not yet released: see flush
	warm      int            // of the ready, records whose accounts were prefetched
	slots     []uint32       // scratch: those accounts
	told      int            // events in the outbox and not yet published
	groups    int            // items done with since flush
	seq       uint64         // last Seq applied
	group     []risk.Command // the current group: in the ring, or in whole where it wraps around
	whole     []risk.Command // scratch: a group that wraps around
	pos, end  uint64         // places of the current item: its first and the one after its last
	events    []risk.Event   // the machine's, not yet told
	verdicts  []risk.Verdict // scratch: all shards' of a joint group
	merged    []risk.Request // scratch: all shards' of a joint group
	slowest   uint64         // all shards were done with everything before this place when last looked
	isCrowded bool           // some pool had no room after its last push, as far as slowest tells
}

func newShard(index int, m machine, cfg *Config) *shard {
	s := &shard{
		index: index, m: m, cfg: cfg, pollMax: cfg.PollMax,
		out:  ringbuf.NewSPSC[risk.Event](cfg.OutboxSlots),
		owed: shareNone, bands: newBandKeeper(),
		whole: make([]risk.Command, 0, cfg.GroupMax), slots: make([]uint32, 0, risk.PrefetchMax),
	}
	s.real, _ = m.(*risk.Machine)
	if cfg.Shards > 1 {
		s.pools = make([]versions, risk.PoolsMax)
		for i := range s.pools {
			s.pools[i].ring = make([]version, cfg.VersionSlots)
		}
	}
	return s
}

// openPools publishes the totals of a machine that was restored.
func (s *shard) openPools() {
	if len(s.all) > 1 {
		for i := range s.m.PoolCount() {
			s.pools[i].push(0, s.m.OwnTotals(i))
		}
	}
}

// Poll takes up to pollMax steps. A step that changes nothing others can see ends it.
func (s *shard) Poll() (work int) {
	for work < s.pollMax && s.step() {
		if work++; s.groups >= flushEvery {
			s.flush()
		}
	}
	s.flush()
	groups, isBusy := work, s.owed != shareNone || s.capture != nil
	if isBusy {
		work += s.background(work > 0)
	}
	if s.totals != nil {
		work += s.stepTotals(groups)
	}
	return work + s.tend(groups, isBusy || s.totals != nil)
}

// flush shows the others what was done since the last one: events first, then the place that
// says they are all there, then room in the ring.
func (s *shard) flush() {
	if s.told > 0 {
		s.out.Publish(s.told)
		s.told = 0
	}
	if s.groups == 0 {
		return
	}
	s.applied.store(s.seq)
	s.done.store(s.pos)
	s.ring.Release(s.index, s.passed)
	s.passed, s.groups = 0, 0
}

func (s *shard) step() bool {
	switch s.phase {
	case phaseNext:
		return s.take()
	case phasePlanned:
		return s.apply()
	case phaseVoting:
		return s.prepare()
	case phaseAsking:
		return s.finish()
	case phaseTelling:
		return s.tell()
	}
	panic(fmt.Sprintf("engine: BUG: shard %d in phase %d", s.index, s.phase))
}

// take starts the next item of the order: a read is served at once, a group is planned
// and applied as soon as its plan allows.
func (s *shard) take() bool {
	if s.ready == 0 {
		if s.ready = s.ring.Available(s.index) - s.passed; s.ready == 0 {
			return false
		}
	}
	if s.warm <= 0 {
		s.prefetch()
	}
	head := s.ring.Peek(s.index, s.passed)
	if isMarker(head) && !s.canServe(head) {
		return false
	}
	size := int(head.GroupLeft) + 1
	s.ready -= size
	s.warm -= size
	s.end = s.pos + uint64(size)
	if isMarker(head) {
		s.flush() // whoever reads may look at our cursors as well
		s.serve(head)
		s.leave(size)
		return true
	}
	if s.group = s.ring.View(s.index, s.passed, size); s.group == nil {
		s.whole = s.whole[:0]
		for i := range size {
			s.whole = append(s.whole, *s.ring.Peek(s.index, s.passed+i))
		}
		s.group = s.whole
	}
	if s.real != nil && head.Kind == risk.KindPrices {
		s.real.CatchUpBands()
	}
	s.plan = s.m.Plan(s.group)
	s.phase = phasePlanned
	s.apply()
	return true
}

// prefetch has the machine ask for the accounts of the records that come next.
func (s *shard) prefetch() {
	s.slots = s.slots[:0]
	s.warm = min(s.ready, risk.PrefetchMax)
	for i := range s.warm {
		s.slots = append(s.slots, s.ring.Peek(s.index, s.passed+i).Account())
	}
	s.m.Prefetch(s.slots)
}

// serve runs a read at its place in the order, if this shard has a part in it.
func (s *shard) serve(head *risk.Command) {
	switch head.Kind { //nolint:exhaustive // reads only: a repeat is egress's affair
	case kindRead:
		if int(head.Account())%len(s.all) == s.index {
			s.tickets.at(head.Ticket).one(s.real)
		}
	case kindReadAll:
		s.tickets.at(head.Ticket).all(s.index, s.real)
	case kindHash:
		s.checkpoint(shareHashPoint, head.Aux)
	case kindSnapshot:
		s.beginCapture(head.Aux)
	}
}

// apply applies the planned group, or casts this shard's vote on a joint one. It changes
// nothing until every shard it must look at has done all before this group, and until
// each pool has room for a new version.
func (s *shard) apply() bool {
	if len(s.all) == 1 {
		return s.applyAlone()
	}
	if !s.hasRoom() || s.plan != risk.PlanLocal && !s.othersReached(doneCursor, s.pos) {
		return false
	}
	switch s.plan {
	case risk.PlanLocal:
		s.m.Apply(s.group)
	case risk.PlanTotals:
		s.setForeign()
		s.m.Apply(s.group)
	case risk.PlanJoint:
		s.vote()
		return true
	}
	s.publish()
	return true
}

// applyAlone is apply for a single shard: what it knows is all there is.
func (s *shard) applyAlone() bool {
	if s.plan == risk.PlanJoint {
		verdict := s.m.Verdict(s.group)
		s.merged = append(s.merged[:0], s.m.Prepare(s.group, verdict)...)
		for isMore := true; isMore; {
			slices.SortFunc(s.merged, risk.CompareRequests)
			var next []risk.Request
			next, isMore = s.m.Finish(s.group, s.merged)
			s.merged = append(s.merged[:0], next...)
		}
	} else {
		s.m.Apply(s.group)
	}
	s.publish()
	return true
}

// setForeign tells the machine what the other shards' totals were before this group.
func (s *shard) setForeign() {
	for pool := range s.m.PoolCount() {
		var sum risk.Totals
		for _, other := range s.all {
			if other != s {
				sum = sum.Add(other.pools[pool].at(s.pos))
			}
		}
		s.m.SetForeign(pool, sum)
	}
}

// publish makes the new pool totals readable and turns to the events.
func (s *shard) publish() {
	if len(s.all) > 1 {
		for _, pool := range s.m.ChangedPools() {
			s.pools[pool].push(s.end, s.m.OwnTotals(int(pool)))
			s.isCrowded = s.isCrowded || !s.pools[pool].hasRoom(s.slowest)
		}
	}
	if isListing(s.group[0].Kind) {
		s.quote(s.group[0].Seq)
	}
	s.events = s.m.Events()
	s.phase = phaseTelling
	s.tell()
}

// tell moves events to the outbox as far as it has room; after the last one the group is
// done.
func (s *shard) tell() bool {
	if len(s.events) > 0 {
		room := s.out.Claim(s.told+len(s.events)) - s.told
		if room == 0 {
			return false
		}
		for i := range room {
			*s.out.Slot(s.told + i) = s.events[i]
		}
		s.told += room
		if s.events = s.events[room:]; len(s.events) > 0 {
			return true
		}
	}
	s.seq = s.group[0].Seq
	if ticket := s.group[0].Ticket; ticket&ticketTraced != 0 {
		s.traceApplied(ticket)
	}
	s.leave(len(s.group))
	return true
}

// leave passes the current item.
func (s *shard) leave(size int) {
	s.events, s.phase, s.pos = nil, phaseNext, s.end
	s.passed += size
	s.groups++
}

// hasRoom reports whether every pool can take a new version. It looks at the others only
// once a pool has used up the room that it found when it looked last.
func (s *shard) hasRoom() bool {
	if !s.isCrowded {
		return true
	}
	s.slowest = s.pos
	for _, other := range s.all {
		s.slowest = min(s.slowest, other.done.load())
	}
	for i := range s.pools {
		if !s.pools[i].hasRoom(s.slowest) {
			return false
		}
	}
	s.isCrowded = false
	return true
}

// othersReached reports whether every other shard's cursor has reached place pos.
func (s *shard) othersReached(of func(*shard) *cursor, pos uint64) bool {
	for _, other := range s.all {
		if other != s && of(other).load() < pos {
			return false
		}
	}
	return true
}

func doneCursor(s *shard) *cursor  { return &s.done }
func votedCursor(s *shard) *cursor { return &s.voted }
func askedCursor(s *shard) *cursor { return &s.asked }
