package engine

import (
	"sync/atomic"
	"time"

	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

// How long commands take, by stage. A clock read costs 30 to 50 ns, more than most stages, so
// no stage reads it for every command, nor for every Poll: one command of traceEvery is traced.
// Its ticket carries a bit, and each stage that meets it writes the time into the trace of the
// ticket and the difference into the stage's histogram:
//
//	entered ─ring_wait─ sequenced ─journal─ durable ─apply─ applied ─gate─ released ─wake─ resumed
//	        Submit                sequencer         journaler       shards         egress       Submit
//
// It stands for the records of its ticket since the one traced before, so the counts add up
// to those of all records but the last few, and a batch of traceEvery or more always has one. So that quiet
// hours have figures too, the auditor asks for a trace every auditBeat, whoever comes first;
// and TraceAll has everything traced for a while, after somebody found a request slow.
//
// What a frame takes in the journal is measured for every frame: it costs far more than the
// clock.

// traceEvery is how many records of a ticket one trace stands for: five clock reads in so many
// are 2 ns each.
const traceEvery = 128

// traceAllBeats is for how many beats of the auditor TraceAll holds: a second.
const traceAllBeats = beatsASecond

// ticketTraced in Command.Ticket says that the group is traced. It leaves room for every
// number of a ticket.
const ticketTraced = 1 << 31

var _ [ticketTraced - ticketsMax - 1]struct{}

// Stage names a part of a command's way through the engine.
type Stage uint8

// The stages, in the order of the data; stageTable tells what each is.
const (
	StageRingWait Stage = iota
	StageJournal
	StageApply
	StageGate
	StageWake
	StagePipeline
	StageTickEvent
	StageFrame
	stageCount
)

// StageInfo describes a stage.
type StageInfo struct {
	Name  string
	About string
}

func stageTable() [stageCount]StageInfo {
	return [stageCount]StageInfo{
		StageRingWait:  {"ring_wait", "from the claim in ingress until the sequencer has given it its place"},
		StageJournal:   {"journal", "from there until its frame is durable"},
		StageApply:     {"apply", "from there until a shard has applied it and told its events; every shard counts"},
		StageGate:      {"gate", "from the last shard until egress lets it out"},
		StageWake:      {"wake", "from there until the caller goes on"},
		StagePipeline:  {"pipeline", "from the claim in ingress until egress lets it out"},
		StageTickEvent: {"tick_event", "of price ticks that told public events: from the claim in ingress until readers can see them"},
		StageFrame:     {"frame", "of every journal frame: from its append until it is durable"},
	}
}

// Info returns what a stage is.
func (s Stage) Info() StageInfo { return stageTable()[s] }

// Stages returns all stages in the order of their numbers.
func Stages() []Stage {
	all := make([]Stage, stageCount)
	for i := range all {
		all[i] = Stage(i) //nolint:gosec // below stageCount
	}
	return all
}

// Trace is when one batch was where, in ns since the engine was made. Only the batches that
// are traced have one: IsWhole says so. Durable is 0 without a journal.
type Trace struct {
	IsWhole                                                 bool
	Weight                                                  uint64 // records it stands for
	Entered, Sequenced, Durable, Applied, Released, Resumed int64
}

// trace is what the stages write of a ticket. Each field has one writer at a time, which
// publishes it with the record: the caller, sequencer, journaler, shards, egress.
type trace struct {
	entered, sequenced, durable int64
	applied                     atomic.Int64 // of the last shard
	released                    int64
	weight                      uint64 // records it stands for
	_                           [2]uint64
}

// tracer decides what is traced, and holds the histograms.
type tracer struct {
	base     time.Time
	every    atomic.Uint32 // traceEvery, or 1 after TraceAll; read by all callers
	isWanted atomic.Bool   // the next command is traced; pairs: beat with picks
	allBeats atomic.Int32  // beats until every is traceEvery again
	_        [cacheLine]byte
	stages   [stageCount]metrics.Histogram // of apply: shard 0 of one shard alone
	shards   []metrics.Histogram           // apply, by shard: each is written by its shard
	frameNs  atomic.Int64                  // when the oldest frame in flight was appended; 0 = none
}

func newTracer(shards int) *tracer {
	r := &tracer{base: time.Now(), shards: make([]metrics.Histogram, shards)}
	r.every.Store(traceEvery)
	return r
}

// now returns the time in ns since the engine was made, never 0.
func (r *tracer) now() int64 { return int64(time.Since(r.base)) + 1 }

// beat is the auditor's: from time to time somebody is traced whoever it is.
func (r *tracer) beat() {
	if !r.isWanted.Load() {
		r.isWanted.Store(true)
	}
	if r.allBeats.Load() > 0 && r.allBeats.Add(-1) == 0 {
		r.every.Store(traceEvery)
	}
}

// picks decides whether a ticket with so many records is traced. owed is the ticket's count of
// records since its last trace.
func (r *tracer) picks(owed *uint32, records int) (weight uint64) {
	*owed += uint32(records) //nolint:gosec // a batch fits a ring
	if *owed < r.every.Load() && (!r.isWanted.Load() || !r.isWanted.CompareAndSwap(true, false)) {
		return 0
	}
	weight, *owed = uint64(*owed), 0
	return weight
}

// begin starts the trace of a ticket, and returns which of its groups is traced: any of a
// batch of single records, so that the last ones count too, else the first.
func (e *Engine) begin(t *ticket, weight uint64, records, groups int) (index int) {
	tr := &e.tickets.traces[t.number]
	tr.entered, tr.sequenced, tr.durable, tr.released, tr.weight = e.tracer.now(), 0, 0, 0, weight
	tr.applied.Store(0)
	if records != groups {
		return 0
	}
	return int(tr.entered % int64(groups))
}

// traced returns the trace of a record's ticket, or nil.
func (t *ticketTable) traced(number uint32) *trace {
	if number&ticketTraced == 0 {
		return nil
	}
	return &t.traces[number&^ticketTraced]
}

// traceSequenced notes that a group has its place.
func (q *sequencer) traceSequenced(number uint32) {
	tr := q.tickets.traced(number)
	tr.sequenced = q.tracer.now()
	q.tracer.stages[StageRingWait].Record(tr.sequenced-tr.entered, tr.weight)
}

// traceDurable notes that a group is durable.
func (j *journaler) traceDurable(number uint32) {
	tr := j.tickets.traced(number)
	tr.durable = j.tracer.now()
	j.tracer.stages[StageJournal].Record(tr.durable-tr.sequenced, tr.weight)
}

// traceAppended notes when a frame went to the journal.
func (j *journaler) traceAppended() (nowNs int64) {
	nowNs = j.tracer.now()
	if len(j.flight) == 0 {
		j.tracer.frameNs.Store(nowNs)
	}
	return nowNs
}

// traceSettled notes that the first frame in flight is durable.
func (j *journaler) traceSettled(nowNs int64) {
	if at := j.flight[0].appendedNs; at > 0 { // else it holds markers only, and the journal has never seen it
		j.tracer.stages[StageFrame].Record(nowNs-at, 1)
	}
	next := int64(0)
	if len(j.flight) > 1 {
		next = j.flight[1].appendedNs
	}
	j.tracer.frameNs.Store(next)
}

// traceApplied notes that this shard is done with a group; the last to say so is remembered.
func (s *shard) traceApplied(number uint32) {
	tr := s.tickets.traced(number)
	now := s.tracer.now()
	s.tracer.shards[s.index].Record(now-max(tr.sequenced, tr.durable), tr.weight)
	for last := tr.applied.Load(); now > last && !tr.applied.CompareAndSwap(last, now); last = tr.applied.Load() {
	}
}

// traceReleased notes that a group is let out.
func (g *egress) traceReleased(number uint32, isEventfulTick bool) {
	tr := g.tickets.traced(number)
	now := g.tracer.now()
	g.tracer.stages[StageGate].Record(now-tr.applied.Load(), tr.weight)
	g.tracer.stages[StagePipeline].Record(now-tr.entered, tr.weight)
	if isEventfulTick {
		g.tracer.stages[StageTickEvent].Record(now-tr.entered, 1)
	}
	tr.released = now // before the caller can be told
}

// resume ends the trace of a ticket whose caller goes on, and copies it.
func (e *Engine) resume(t *ticket, copied *Trace) {
	tr := &e.tickets.traces[t.number]
	if tr.released == 0 {
		return // a repeat of an id, or a tick that was merged into another
	}
	now := e.tracer.now()
	e.tracer.stages[StageWake].Record(now-tr.released, tr.weight)
	if copied != nil {
		*copied = Trace{
			IsWhole: true, Weight: tr.weight, Entered: tr.entered, Sequenced: tr.sequenced, Durable: tr.durable,
			Applied: tr.applied.Load(), Released: tr.released, Resumed: now,
		}
	}
}

// SubmitTraced is Submit, and fills tr if the batch is one of those that are traced.
func (e *Engine) SubmitTraced(records []risk.Command, results []Result, tr *Trace) error {
	tr.IsWhole = false
	if len(records) == 0 {
		return nil
	}
	t, err := e.enter(records, results)
	if err != nil {
		return err
	}
	e.runner.help(t)
	err = e.await(t)
	if err == nil && t.isTraced {
		e.resume(t, tr)
	}
	e.leave(t, err)
	return err
}

// TraceAll has every command of the next second traced: for whoever has just met a slow one.
func (e *Engine) TraceAll() {
	e.tracer.allBeats.Store(int32(traceAllBeats))
	e.tracer.every.Store(1)
}

// Elapsed returns a time as traces count it.
func (e *Engine) Elapsed(t time.Time) int64 { return int64(t.Sub(e.tracer.base)) + 1 }

// AddLatency adds what is known of a stage to a snapshot.
func (e *Engine) AddLatency(stage Stage, s *metrics.Snapshot) {
	if stage == StageApply {
		for i := range e.tracer.shards {
			e.tracer.shards[i].AddTo(s)
		}
		return
	}
	e.tracer.stages[stage].AddTo(s)
}

// JournalAge returns for how many ns the oldest frame that is not durable yet has waited; 0
// when there is none.
func (e *Engine) JournalAge() (ns int64) {
	if since := e.tracer.frameNs.Load(); since > 0 {
		return max(0, e.tracer.now()-since)
	}
	return 0
}
