package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// The simulator of the durable house: one goroutine, a log and a disk in memory behind the
// journal's interface. It crashes at any step, loses, tears and repeats log entries, takes
// snapshots anywhere, restarts on another number of shards, has clients repeat what they
// sent, and holds everything that anybody saw against one uninterrupted run of the log.
// PLIMSOLL_SIM_SEED and PLIMSOLL_SIM_SEEDS work as in sim_test.go.

const (
	crashSeedsFake = 2000
	crashSeedsRisk = 1000
)

// flaws are the negative controls: bugs that the simulator must find.
type flaws struct {
	isHasty bool  // durable is said before it is so
	forget  uint8 // kind of chunk that a snapshot leaves out
	isVague bool  // results are not restored with their ids
	wrong   bool  // a replayed frame is applied with another amount
}

// crashCounts tell that a run met what it is there for.
type crashCounts struct {
	crashes, snapshots, restored, torn, stale, hashes, repeats int
}

func TestCrashSimulation(t *testing.T) {
	for name, tc := range map[string]struct {
		seeds int
		make  func(seed uint64) script
		build house
	}{"fake": {crashSeedsFake, fakeHistory, fakeHouse}, "risk": {crashSeedsRisk, realHistory, riskHouse}} {
		t.Run(name, func(t *testing.T) {
			var sum crashCounts
			seeds := 0
			eachSeed(t, tc.seeds, func(t *testing.T, seed uint64) {
				t.Helper()
				if err := crashSeed(seed, tc.make(seed), tc.build, flaws{}, &sum); err != nil {
					t.Error(err)
				}
				seeds++
			})
			t.Logf("%d seeds: %+v", seeds, sum)
			if seeds >= 100 && (sum.restored == 0 || sum.torn == 0 || sum.stale == 0 || sum.hashes == 0 || sum.repeats == 0) {
				t.Errorf("the simulator has lost its teeth: %+v", sum)
			}
		})
	}
}

// TestCrashSimulationFindsPlantedBugs plants one bug after the other: each must be found.
func TestCrashSimulationFindsPlantedBugs(t *testing.T) {
	for name, tc := range map[string]struct {
		flaws flaws
		build house
	}{
		"acknowledged before it is durable":         {flaws{isHasty: true}, fakeHouse},
		"ids not in the snapshot":                   {flaws{forget: ChunkIDs}, fakeHouse},
		"results not in the snapshot":               {flaws{isVague: true}, fakeHouse},
		"accounts not in the snapshot":              {flaws{forget: ChunkAccounts}, fakeHouse},
		"account changed before it was encoded":     {flaws{}, neglectful},
		"a follower that applies something else":    {flaws{wrong: true}, fakeHouse},
		"engine time not carried over by snapshots": {flaws{forget: ChunkTime}, fakeHouse},
		"a band that is wrong and tells nobody":     {flaws{}, deaf},
	} {
		t.Run(name, func(t *testing.T) {
			const seedsMax = 200
			for seed := uint64(1); seed <= seedsMax; seed++ {
				if err := crashSeed(seed, fakeHistory(seed), tc.build, tc.flaws, &crashCounts{}); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not found in %d seeds", seedsMax)
		})
	}
}

func crashSeed(seed uint64, h script, build house, f flaws, counts *crashCounts) (err error) {
	if f != (flaws{}) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
		}()
	}
	s := newCrashSim(seed, h, build, f, counts)
	if err := s.run(); err != nil {
		return err
	}
	return s.judge()
}

// seen is an answer that a client got.
type seen struct {
	sent   risk.Command // head of the group
	result Result
}

// crashSim is one run.
type crashSim struct {
	rng    *rand.Rand
	cfg    Config
	script script
	build  house
	flaws  flaws
	counts *crashCounts
	disk   *simDisk

	engine  *Engine
	replay  *replayer
	log     *simLog
	capture *capture
	writing *simSnapshot
	crashes int // still to come
	lazy    int // of so many chances to sync the disk takes one

	next    int   // batch of the script
	again   []int // batches to be sent once more
	flights []flight
	reads   []*ticket
	idle    int
	miss    error // a band that did not hold

	answers    []seen
	acked      uint64
	events     []risk.Event
	skips      map[int]bool // places in events before which some are gone
	lastSeq    uint64
	lastN      uint32
	recoveries []recovered
}

// recovered is a state that a restart reached.
type recovered struct {
	seq  uint64
	hash fixedpoint.Hash128
}

func newCrashSim(seed uint64, h script, build house, f flaws, counts *crashCounts) *crashSim {
	rng := rand.New(rand.NewPCG(seed, 0xC4A5))
	s := &crashSim{rng: rng, script: h, build: build, flaws: f, counts: counts, skips: map[int]bool{}, disk: &simDisk{rng: rng}, crashes: rng.IntN(5), lazy: 1 + rng.IntN(20)}
	return s
}

// configure draws a configuration; window and limits stay, since they are part of the state.
func (s *crashSim) configure() Config {
	ring := func(least int) int { return least << s.rng.IntN(3) }
	cfg := DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.ClientsMax, cfg.IDWindow = 1<<s.rng.IntN(4), 1<<12, 4, simWindow(s.script)
	cfg.GroupMax = groupMaxOf(s.script)
	cfg.IngressSlots = ring(max(8, powerOfTwo(batchMaxOf(s.script))))
	least := max(8, powerOfTwo(cfg.GroupMax))
	cfg.SequenceSlots, cfg.BroadcastSlots, cfg.OutboxSlots = ring(least), ring(least), ring(2)
	cfg.VersionSlots, cfg.Tickets, cfg.EventHistory = 2+s.rng.IntN(3), 1+s.rng.IntN(8), 1024
	cfg.FrameMax, cfg.FramesInFlight, cfg.PollMax = 1+s.rng.IntN(16), 1+s.rng.IntN(6), 1+s.rng.IntN(4)
	cfg.Clock, cfg.AccrueMs, cfg.Now = ClockCommands, 1000, nil
	cfg.hashEvery, cfg.stepMax, cfg.bufferBytes = 3, 1+s.rng.IntN(4), 512<<s.rng.IntN(4)
	cfg.Detect = risk.Detect(s.rng.IntN(2))
	cfg.OnBandMiss = func(m *BandMiss) { s.miss = fmt.Errorf("a band did not hold: %+v", *m) }
	return cfg
}

// start recovers from what is on the disk.
func (s *crashSim) start() error {
	cfg := s.configure()
	s.log = &simLog{disk: s.disk, isHasty: s.flaws.isHasty}
	cfg.Journal = s.log
	if err := cfg.Validate(); err != nil {
		return err
	}
	s.cfg, s.capture, s.writing, s.idle = cfg, nil, nil, 0
	s.engine = wire(cfg, s.build(&cfg))
	s.replay = newReplayer(s.engine, nil)
	from := 0
	if n := len(s.disk.snapshots); n > 0 {
		newest := s.disk.snapshots[n-1-s.rng.IntN(min(n, 2))] // now and then the newest is bad
		if err := s.replay.restore(newest); err != nil {
			return fmt.Errorf("restore on %d shards: %w", cfg.Shards, err)
		}
		s.counts.restored++
		for _, w := range s.engine.egress.clients {
			for i := 0; w != nil && s.flaws.isVague && i < len(w.kept); i++ {
				w.kept[i].result.TimeMs++
			}
		}
		s.log.committed, from = newest.meta.Chain, newest.entries
	}
	for i := from; i < len(s.disk.entries); i++ {
		_, err := s.log.see(s.disk.entries[i], s.apply)
		if damage := (*journal.DamageError)(nil); errors.As(err, &damage) && i >= s.disk.synced {
			s.disk.entries = s.disk.entries[:i] // torn
			break
		}
		if err != nil {
			return fmt.Errorf("replay of entry %d of %d: %w", i, len(s.disk.entries), err)
		}
	}
	s.counts.stale += s.log.stale
	if s.replay.checked > 0 {
		s.counts.hashes++
	}
	s.disk.synced, s.log.built = len(s.disk.entries), s.log.committed
	if s.log.committed.Seq < s.acked {
		return fmt.Errorf("seq %d was acknowledged, the log ends at %d", s.acked, s.log.committed.Seq)
	}
	s.recoveries = append(s.recoveries, recovered{s.engine.egress.seq, s.engine.reached()})
	s.engine.started = true
	return s.follow()
}

// apply replays a frame, wrongly if it is told to.
func (s *crashSim) apply(h *journal.Header, body []byte) error {
	if s.flaws.wrong && h.Number%4 == 1 {
		body = slices.Clone(body) // the disk is as it was
		body[48]++                // the lowest byte of Num[0]
	}
	return s.replay.Replay(h, body)
}

// run drives the script to its end, with crashes in between, and restarts once more.
func (s *crashSim) run() error {
	if err := s.start(); err != nil {
		return err
	}
	for s.next < len(s.script) || len(s.flights)+len(s.again) > 0 {
		if err := s.step(); err != nil {
			return err
		}
	}
	for range 20 { // settle and sync what is left
		s.engine.pollAll()
		if _, err := s.log.sync(len(s.disk.entries)); err != nil {
			return err
		}
	}
	if err := s.follow(); err != nil {
		return err
	}
	if s.disk.synced != len(s.disk.entries) {
		return errors.New("entries are left unsynced")
	}
	return s.start()
}

func (s *crashSim) step() error {
	var err error
	switch s.rng.IntN(13) {
	case 0:
		err = s.send()
	case 1:
		s.read()
	case 2:
		err = s.follow()
	case 3, 4:
		if s.rng.IntN(s.lazy) > 0 {
			return nil
		}
		var work int
		work, err = s.log.sync(1 + s.rng.IntN(3))
		if work > 0 {
			s.idle = 0
		}
	case 5:
		err = s.photograph()
	case 6:
		if s.crashes > 0 && s.rng.IntN(30) == 0 {
			return s.crash()
		}
	case 7:
		s.engine.auditor.beat()
		err = s.miss
	default:
		if s.engine.stages[s.rng.IntN(len(s.engine.stages))].Poll() > 0 {
			s.idle = 0
		}
	}
	if err != nil {
		return err
	}
	if err := s.engine.Fault(); err != nil {
		return err
	}
	const idleMax = 5000
	if s.idle++; s.idle > idleMax {
		return fmt.Errorf("deadlock: %d batches in flight, status %+v", len(s.flights), s.engine.Status())
	}
	return s.collect()
}

// send submits a batch as a client would; some are sent once more, whatever became of them.
func (s *crashSim) send() error {
	b := s.next
	switch {
	case len(s.again) > 0:
		b = s.again[0]
	case b > 0 && s.rng.IntN(8) == 0:
		b = s.rng.IntN(b)
	case b == len(s.script):
		return nil
	}
	t, err := s.engine.enter(s.script[b], make([]Result, len(s.script[b])))
	if errors.Is(err, ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	s.flights = append(s.flights, flight{t: t, batch: b})
	if len(s.again) > 0 {
		s.again = s.again[1:]
	} else if b == s.next {
		s.next++
	}
	return nil
}

// read puts a marker into the order.
func (s *crashSim) read() {
	t, err := s.engine.take()
	if err != nil {
		return
	}
	t.all = func(int, *risk.Machine) {}
	if (&simulation{engine: s.engine}).mark(t, &risk.Command{Kind: kindReadAll}) {
		s.reads = append(s.reads, t)
	}
}

// photograph starts a snapshot, writes on at one, or gives one up.
func (s *crashSim) photograph() error {
	if s.capture == nil {
		if s.flaws.isHasty || s.rng.IntN(30) > 0 {
			return nil
		}
		source, err := s.replay.Snapshot(s.log.committed)
		if err != nil {
			return err
		}
		s.capture, s.writing = source.(*capture), &simSnapshot{entries: s.disk.synced, forget: s.flaws.forget}
		return nil
	}
	if s.rng.IntN(200) == 0 {
		s.capture.Release()
		s.capture = nil
		return nil
	}
	work, isEnd, err := s.capture.step(s.writing)
	if err != nil {
		return err
	}
	if work > 0 {
		s.idle = 0
	}
	if !isEnd {
		return nil
	}
	if s.writing.meta, err = s.capture.finish(s.writing); err != nil {
		return err
	}
	s.capture.Release()
	s.disk.snapshots = append(s.disk.snapshots, s.writing)
	s.capture = nil
	s.counts.snapshots++
	return nil
}

// crash ends the process where it stands. Clients send again what was not answered.
func (s *crashSim) crash() error {
	if err := s.follow(); err != nil { // what was public just before
		return err
	}
	s.crashes--
	s.counts.crashes++
	if s.disk.crash() {
		s.counts.torn++
	}
	for _, f := range s.flights {
		if s.rng.IntN(4) > 0 {
			s.again = append(s.again, f.batch)
		}
	}
	s.flights, s.reads = nil, nil
	return s.start()
}

// collect takes what has been answered.
func (s *crashSim) collect() error {
	reads := s.reads[:0]
	for _, t := range s.reads {
		if !t.isDone() {
			reads = append(reads, t)
			continue
		}
		s.engine.tickets.put(t)
	}
	s.reads = reads
	flights := s.flights[:0]
	for _, f := range s.flights {
		if !f.t.isDone() {
			flights = append(flights, f)
			continue
		}
		for i, r := range f.t.results {
			s.acked = max(s.acked, r.Seq)
			s.answers = append(s.answers, seen{groupAt(s.script[f.batch], i)[0], r})
		}
		s.engine.tickets.put(f.t)
	}
	s.flights = flights
	return nil
}

// follow reads on in the public events; after a restart from a snapshot some may be gone.
func (s *crashSim) follow() error {
	var buf [32]risk.Event
	for {
		got, err := s.engine.EventsAfter(s.lastSeq, s.lastN, buf[:0])
		if errors.Is(err, ErrHistory) {
			if floor := s.engine.egress.history.floor; s.lastSeq <= floor && s.lastN != afterAll {
				s.lastSeq, s.lastN = floor, afterAll
				s.skips[len(s.events)] = true
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("events after %d.%d: %w", s.lastSeq, s.lastN, err)
		}
		if len(got) == 0 {
			return nil
		}
		s.lastSeq, s.lastN = got[len(got)-1].Seq, got[len(got)-1].N
		s.events = append(s.events, got...)
	}
}
