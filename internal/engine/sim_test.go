package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// The simulator runs the whole pipeline on one goroutine: it polls the stages in an order
// drawn from a seed, on rings of a few slots, with a journal that syncs when it likes. A
// history of batches must come out the same for every number of shards, and again when
// the journal is replayed.
//
//	PLIMSOLL_SIM_SEEDS=n   how many seeds, instead of the default
//	PLIMSOLL_SIM_SEED=n    only this one

const (
	simSeedsDefault     = 2000
	simRiskSeedsDefault = 2000
)

// script is what clients send: batches of whole groups.
type script [][]risk.Command

// house makes the machines of one run.
type house func(cfg *Config) []machine

// outcome is all that may be seen from outside.
type outcome struct {
	results [][]Result
	events  []risk.Event
	hash    fixedpoint.Hash128
	idHash  fixedpoint.Hash128 // part of hash
	frames  [][]risk.Command   // as journaled
}

func TestSimulation(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		eachSeed(t, simSeedsDefault, func(t *testing.T, seed uint64) {
			t.Helper()
			simulateSeed(t, seed, fakeHistory(seed), fakeHouse)
		})
	})
	t.Run("risk", func(t *testing.T) {
		eachSeed(t, simRiskSeedsDefault, func(t *testing.T, seed uint64) {
			t.Helper()
			simulateSeed(t, seed, realHistory(seed), riskHouse)
		})
	})
}

func eachSeed(t *testing.T, seeds int, simulate func(t *testing.T, seed uint64)) {
	t.Helper()
	t.Parallel()
	first := uint64(1)
	if s := os.Getenv("PLIMSOLL_SIM_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		seeds = 1
	} else if s := os.Getenv("PLIMSOLL_SIM_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	} else if raceEnabled || testing.Short() {
		seeds /= 20 // every seed is single-threaded: the race detector has nothing to find here
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic: %v", r)
				}
				if t.Failed() {
					t.Fatalf("seed %d failed; repeat with: PLIMSOLL_SIM_SEED=%d go test -run '%s' ./internal/engine",
						seed, seed, t.Name())
				}
			}()
			simulate(t, seed)
		}()
	}
}

// simulateSeed runs one history on 1, 2, 4 and 8 shards, and replays the journal of each
// run on the shards of the next.
func simulateSeed(t *testing.T, seed uint64, h script, build house) {
	t.Helper()
	var want *outcome
	for i, shards := range []int{1, 2, 4, 8} {
		s := newSimulation(t, seed*10+uint64(i), shards, h, build)
		got := s.run()
		if t.Failed() {
			return
		}
		if want == nil {
			want = got
			checkRepeats(t, h, got, &s.cfg)
			continue
		}
		compareOutcomes(t, fmt.Sprintf("%d shards against 1", shards), h, got, want)
		if want.frames != nil {
			replayed := replay(t, want.frames, shards, build, &s.cfg)
			replayed.results = want.results
			compareOutcomes(t, fmt.Sprintf("replayed on %d shards", shards), h, replayed, want)
		}
		if got.frames != nil {
			want.frames = got.frames
		}
	}
}

// simulation is one run of a history on one number of shards.
type simulation struct {
	t       *testing.T
	rng     *rand.Rand
	cfg     Config
	engine  *Engine
	journal *simJournal
	script  script

	next     int // batch to send
	flights  []flight
	reads    []*simRead
	acked    uint64 // highest Seq in an answer
	out      outcome
	lastSeq  uint64 // of the follower of events
	lastN    uint32
	idle     int // polls in a row that did nothing
	hashRead *ticket
	shares   []fixedpoint.Hash128
}

type flight struct {
	t     *ticket
	batch int
}

type simRead struct {
	t       *ticket
	floor   uint64
	follows uint64
	ran     int
}

func newSimulation(t *testing.T, seed uint64, shards int, h script, build house) *simulation {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0x51))
	ring := func(least int) int { return least << rng.IntN(3) }
	cfg := DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.ClientsMax, cfg.IDWindow = shards, 1<<12, 4, simWindow(h)
	cfg.GroupMax = groupMaxOf(h)
	least := max(8, powerOfTwo(batchMaxOf(h)))
	cfg.IngressSlots = ring(least)
	least = max(8, powerOfTwo(cfg.GroupMax))
	cfg.SequenceSlots, cfg.BroadcastSlots, cfg.OutboxSlots = ring(least), ring(least), ring(2)
	cfg.VersionSlots, cfg.Tickets, cfg.EventHistory = 2+rng.IntN(3), 1+rng.IntN(8), 1024
	cfg.FrameMax, cfg.FramesInFlight, cfg.PollMax = 1+rng.IntN(16), 1+rng.IntN(4), 1+rng.IntN(4)
	cfg.Clock, cfg.AccrueMs, cfg.Now = ClockCommands, 1000, nil
	cfg.Detect, cfg.stepMax, cfg.OnBandMiss = risk.Detect((seed/10+seed)&1), 1+rng.IntN(4), failOnMiss(t)
	s := &simulation{t: t, rng: rng, script: h}
	if rng.IntN(2) == 0 {
		s.journal = &simJournal{rng: rng}
		cfg.Journal = s.journal
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.cfg = cfg
	s.engine = wire(cfg, build(&cfg))
	s.out.results = make([][]Result, len(h))
	return s
}

// simWindow is the id window of a history: the same for all shard counts.
func simWindow(h script) int { return 1 + len(h)%16 }

func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

func groupMaxOf(h script) int {
	n := 1
	for _, batch := range h {
		for i := range batch {
			n = max(n, int(batch[i].GroupLeft)+1)
		}
	}
	return n
}

func batchMaxOf(h script) int {
	n := 1
	for _, batch := range h {
		n = max(n, len(batch))
	}
	return n
}

// failOnMiss fails a test at the first account whose band does not hold.
func failOnMiss(t *testing.T) func(*BandMiss) {
	t.Helper()
	return func(m *BandMiss) { t.Errorf("a band did not hold: %+v", *m) }
}

// run drives the history to its end and reads the state.
func (s *simulation) run() *outcome {
	for !s.t.Failed() && !s.isOver() {
		switch s.rng.IntN(8) {
		case 0:
			s.send()
		case 1:
			s.read()
		case 2:
			s.follow()
		case 3:
			s.engine.auditor.beat()
		default:
			s.poll(s.engine.stages[s.rng.IntN(len(s.engine.stages))])
		}
		s.collect()
	}
	s.follow()
	s.checkLedgers()
	if s.journal != nil {
		s.out.frames = s.journal.frames
	}
	return &s.out
}

func (s *simulation) isOver() bool {
	if s.next < len(s.script) || len(s.flights) > 0 || len(s.reads) > 0 {
		return false
	}
	if s.hashRead != nil {
		if !s.hashRead.isDone() {
			return false
		}
		s.out.hash, s.out.idHash = s.hashRead.idHash, s.hashRead.idHash
		for _, share := range s.shares {
			s.out.hash = s.out.hash.Add(share)
		}
		return true
	}
	t, err := s.engine.take()
	if err != nil {
		return false
	}
	s.shares = make([]fixedpoint.Hash128, len(s.engine.shards))
	t.all = func(shard int, _ *risk.Machine) { s.shares[shard] = s.engine.shards[shard].m.StateHash() }
	s.mark(t, &risk.Command{Kind: kindReadAll})
	s.hashRead = t
	return false
}

// poll polls one stage and watches for a pipeline that stands still with work in it.
func (s *simulation) poll(stage stage) {
	if stage.Poll() > 0 {
		s.idle = 0
		return
	}
	if s.idle++; s.idle < 100*len(s.engine.stages) || len(s.flights)+len(s.reads) == 0 {
		return
	}
	for _, stage := range s.engine.stages {
		if stage.Poll() > 0 {
			s.idle = 0
			return
		}
	}
	if s.journal == nil || len(s.journal.pending) == 0 {
		s.t.Errorf("deadlock: %d batches in flight, status %+v", len(s.flights), s.engine.Status())
	}
}

// send submits the next batch as a client would; busy means later.
func (s *simulation) send() {
	if s.next == len(s.script) {
		return
	}
	batch := s.script[s.next]
	results := make([]Result, len(batch))
	t, err := s.engine.enter(batch, results)
	if errors.Is(err, ErrBusy) {
		return
	}
	if err != nil {
		s.t.Errorf("batch %d: %v", s.next, err)
		return
	}
	s.flights = append(s.flights, flight{t: t, batch: s.next})
	s.next++
}

// read sends a read of one shard or of all.
func (s *simulation) read() {
	if s.next == len(s.script) {
		return
	}
	t, err := s.engine.take()
	if err != nil {
		return
	}
	r := &simRead{t: t, floor: s.acked}
	marker := &risk.Command{Kind: kindRead}
	marker.Ref[risk.RefAccount] = s.rng.Uint32N(64)
	note := func(shard int) {
		r.ran++
		r.follows = s.engine.shards[shard].applied.load()
	}
	if s.rng.IntN(2) == 0 {
		marker.Kind = kindReadAll
		t.all = func(shard int, _ *risk.Machine) { note(shard) }
	} else {
		shard := int(marker.Account()) % len(s.engine.shards)
		t.one = func(*risk.Machine) { note(shard) }
	}
	if s.mark(t, marker) {
		s.reads = append(s.reads, r)
	}
}

func (s *simulation) mark(t *ticket, marker *risk.Command) bool {
	first, ok := s.engine.ingress.TryClaim(1)
	if !ok {
		s.engine.tickets.put(t)
		return false
	}
	slot := s.engine.ingress.Slot(first)
	*slot = *marker
	slot.Ticket = t.number
	s.engine.ingress.Publish(first, 1)
	return true
}

// collect takes what has been answered.
func (s *simulation) collect() {
	s.flights = slices.DeleteFunc(s.flights, func(f flight) bool {
		if !f.t.isDone() {
			return false
		}
		s.out.results[f.batch] = f.t.results
		for _, r := range f.t.results {
			s.acked = max(s.acked, r.Seq)
			if s.journal != nil && r.Seq > s.journal.durable {
				s.t.Errorf("seq %d was answered and only %d are durable", r.Seq, s.journal.durable)
			}
			for _, shard := range s.engine.shards {
				if shard.applied.load() < r.Seq {
					s.t.Errorf("seq %d was answered before shard %d applied it", r.Seq, shard.index)
				}
			}
		}
		s.engine.tickets.put(f.t)
		return true
	})
	s.reads = slices.DeleteFunc(s.reads, func(r *simRead) bool {
		if !r.t.isDone() {
			return false
		}
		want := 1
		if r.t.all != nil {
			want = len(s.engine.shards)
		}
		if r.ran != want || r.follows != r.t.seq || r.t.seq < r.floor {
			s.t.Errorf("read ran %d times after seq %d and says %d, want %d times and at least %d",
				r.ran, r.follows, r.t.seq, want, r.floor)
		}
		s.engine.tickets.put(r.t)
		return true
	})
}

// follow reads on in the public events, a few at a time.
func (s *simulation) follow() {
	dst := make([]risk.Event, 0, 1+s.rng.IntN(50))
	for {
		got, err := s.engine.EventsAfter(s.lastSeq, s.lastN, dst)
		if err != nil {
			s.t.Errorf("events after %d.%d: %v", s.lastSeq, s.lastN, err)
			return
		}
		if len(got) == 0 {
			return
		}
		last := &got[len(got)-1]
		s.lastSeq, s.lastN = last.Seq, last.N
		s.out.events = append(s.out.events, got...)
		if len(got) < cap(dst) {
			return
		}
	}
}
