package engine

import (
	"time"

	"plimsoll/risk"
)

// The audit compares every account's exact state with what its band claims, over and over,
// at a pace that costs nobody anything. Shards have no clock: the auditor allows each of
// them a number of accounts per beat, and takes what they found wrong. A miss is a defect
// of this program. It is reported with the account's whole state, and a recheck of the
// account goes through ingress into the order, so that replicas and replays repair it at
// the same place. Nobody waits for that.

// The pace of the audit, in accounts a second and shard: while nothing else goes on, and
// while commands come in. An account of four positions takes 0.6 to 1 us, so the latter is
// less than a hundredth of a core, and the former some hundredths of one that has nothing
// else to do.
const (
	auditBeat    = 20 * time.Millisecond
	auditsIdle   = 50_000
	auditsLoaded = 10_000
	beatsASecond = int(time.Second / auditBeat)
)

// rechecksPerBeat bounds the rechecks of one shard that a beat puts into the order.
const rechecksPerBeat = 2

// BandMiss is an account whose band did not hold: the machine would have told its health
// too late. It is a defect of this program, and was put right.
type BandMiss struct {
	Shard   int
	Seq     uint64 // last Seq applied when it was found
	Account uint32
	Told    risk.Health
	Exact   risk.Health
	View    *risk.AccountView // all of its state at Seq; not to be changed
}

// auditor paces the shards' audits and handles what they find.
type auditor struct {
	engine *Engine
	seq    uint64        // last sequenced at the beat before
	over   chan struct{} // closed by stop
	ended  chan struct{} // closed when it has; nil before start
}

func newAuditor(e *Engine) *auditor { return &auditor{engine: e, over: make(chan struct{})} }

// start begins to beat on a goroutine of its own.
func (a *auditor) start() {
	a.ended = make(chan struct{})
	go func() {
		defer close(a.ended)
		tick := time.NewTicker(auditBeat)
		defer tick.Stop()
		for {
			select {
			case <-a.over:
				return
			case <-tick.C:
				if a.beat() {
					a.engine.runner.wake()
				}
			}
		}
	}()
}

// stop ends it; what is found later is not reported.
func (a *auditor) stop() {
	close(a.over)
	if a.ended != nil {
		<-a.ended
	}
}

// beat hands out allowances and takes misses; true when there is something to wake for.
func (a *auditor) beat() (isWanted bool) {
	a.engine.tracer.beat()
	seq := a.engine.sequencer.sequenced.Load()
	isIdle := seq == a.seq
	a.seq = seq
	accounts := auditsLoaded / beatsASecond
	if isIdle {
		accounts = auditsIdle / beatsASecond
	}
	isWanted = !isIdle
	for _, s := range a.engine.shards {
		a.takeMisses(s)
		stats := s.bands.stats()
		s.bands.allow(accounts)
		isWanted = isWanted || stats.Entries+stats.Awake > 0
	}
	return isWanted
}

// takeMisses reports what a shard found and has it rechecked.
func (a *auditor) takeMisses(s *shard) {
	for range rechecksPerBeat {
		if s.bands.misses.Available() == 0 {
			return
		}
		miss := s.bands.misses.Peek(0)
		if !s.bands.isTold && a.engine.cfg.OnBandMiss != nil {
			a.engine.cfg.OnBandMiss(miss)
		}
		s.bands.isTold = true
		if !a.engine.recheck(miss.Account) {
			return // the rings are full: at the next beat
		}
		*miss = BandMiss{} // its view is garbage from here on
		s.bands.misses.Release(1)
		s.bands.isTold = false
	}
}

// recheck puts a recheck of an account into the order, for nobody who waits; false when
// there is no room for it now.
func (e *Engine) recheck(account uint32) bool {
	if e.closing.Load() || e.fault.Load() != nil || e.isReadOnly() {
		return false
	}
	first, ok := e.ingress.TryClaim(1)
	if !ok {
		return false
	}
	c := e.ingress.Slot(first)
	*c = risk.Command{Kind: risk.KindRecheck, Ref: [4]uint32{account, risk.NoAccount, risk.NoSlot, risk.NoSlot}}
	e.ingress.Publish(first, 1)
	e.counters.add(CounterRechecks, 1)
	return true
}
