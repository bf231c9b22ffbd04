package engine

import (
	"sync/atomic"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// What a shard does for the bands of its machine, between two groups and never within one:
//
//	re-band   accounts that a command or a tick has left without a band get one
//	gauge     what a woken account and a pass cost here is measured; see gauge.go
//	audit     accounts are compared with what their bands claim; see audit.go
//
// in this order. A Poll that had groups does little of it, so that an answer does not wait;
// what is left is done when nothing else is. Each piece is bounded: a group that arrives
// meanwhile waits some 50 us at most.

// Accounts that one Poll gives bands, and groups after which a Poll that has some does not
// put it off any more: as long as Polls take few groups at once, accounts get their bands as
// fast as commands take them. A band costs 2 to 4 us (four positions, memory cold): the
// account's margin at two corners, and a place in a wheel for each price it depends on.
const (
	bandsSlice    = 12
	bandsPatience = 12
)

// bandsBeat is how many accounts get a band between two beats, 20 ms, although no tick has
// looked at them without one: some percent of a core, whatever commands come.
const bandsBeat = 1000

// Accounts that one Poll audits, 0.6 us each, and for how many Polls with groups in a row an
// audit waits for one without.
const (
	auditIdle     = 64
	auditBusy     = 8
	auditPatience = 64
)

// missSlots is how many misses wait for the auditor; a step finds no more than there is
// room for.
const missSlots = 2 * auditIdle

// bandStatCount is how many counts a shard publishes.
const bandStatCount = 10

// bandKeeper is a shard's part of the bands.
type bandKeeper struct {
	beat      atomic.Uint64 // counts what the auditor allows; pairs: allow and tend
	allowance atomic.Int64  // accounts that may be audited until the next beat; written before beat
	published [bandStatCount]atomic.Uint64
	misses    *ringbuf.SPSC[BandMiss] // to the auditor

	// Private to the shard.
	seen    uint64 // last beat
	left    int    // of its allowance
	owing   int    // groups since accounts were given bands
	patient int    // Polls with groups since the last audit
	round   uint64 // accounts audited before this round
	banded  uint64 // accounts that the last whole round audited: those with a band
	found   []risk.BandMiss
	gauge   gauge

	// The auditor's.
	isTold bool // the first of misses is reported, and its recheck is not yet on its way
}

func newBandKeeper() bandKeeper {
	return bandKeeper{misses: ringbuf.NewSPSC[BandMiss](missSlots), found: make([]risk.BandMiss, 0, auditIdle)}
}

// allow lets the shard audit that many accounts until the next call.
func (b *bandKeeper) allow(accounts int) {
	b.allowance.Store(int64(accounts))
	b.beat.Add(1)
}

// stats returns what the shard published at the last beat it saw.
func (b *bandKeeper) stats() risk.BandStats {
	at := func(i int) uint64 { return b.published[i].Load() }
	return risk.BandStats{
		Awake: at(0), Banded: at(1), Entries: at(2), Live: at(3), Popped: at(4),
		Woken: at(5), Rebanded: at(6), Sweeps: at(7), Audited: at(8), Misses: at(9),
	}
}

func (b *bandKeeper) publish(s *risk.BandStats) {
	for i, v := range [bandStatCount]uint64{
		s.Awake, s.Banded, s.Entries, s.Live, s.Popped, s.Woken, s.Rebanded, s.Sweeps, s.Audited, s.Misses,
	} {
		b.published[i].Store(v)
	}
}

// sliceOf returns how many accounts a piece of work takes, fewer in the simulator.
func (s *shard) sliceOf(accounts int) int {
	if s.cfg.stepMax > 0 {
		return min(accounts, s.cfg.stepMax)
	}
	return accounts
}

// tend does a piece of what the bands want after a Poll of that many groups. isBusy tells
// that the shard has other work beside the order.
func (s *shard) tend(groups int, isBusy bool) (work int) {
	b := &s.bands
	b.owing += groups
	if s.phase != phaseNext {
		return 0 // a group waits for other shards: its accounts are half done
	}
	if n := b.beat.Load(); n != b.seen {
		s.takeBeat(n)
		if groups > 0 && !isBusy && !s.isReplay {
			s.auditUpTo(auditIdle)
		}
	}
	if s.m.HasBandWork() {
		return s.reband(groups, isBusy)
	}
	switch {
	case isBusy:
		return 0
	case groups == 0 && b.gauge.isRunning():
		s.gaugeStep()
		return 1
	case b.left == 0 || s.isReplay:
		return 0
	}
	return s.audit(groups)
}

// takeBeat takes the allowance of a beat and shows how things stand.
func (s *shard) takeBeat(beat uint64) {
	b := &s.bands
	b.seen, b.left = beat, int(b.allowance.Load())
	if s.real != nil {
		s.real.RationBands(bandsBeat)
	}
	stats := s.m.BandCounts()
	stats.Banded = b.banded // counting them takes a look at every account: the audit does
	b.publish(&stats)
	s.regauge()
}

// reband gives some accounts their bands.
func (s *shard) reband(groups int, isBusy bool) (work int) {
	b := &s.bands
	if groups > 0 && b.owing < bandsPatience {
		return 0
	}
	b.owing = 0
	accounts := s.sliceOf(bandsSlice)
	if isBusy {
		accounts = max(1, accounts/2)
	}
	s.m.BandStep(accounts)
	return 1
}

// audit compares some accounts with their bands.
func (s *shard) audit(groups int) (work int) {
	b := &s.bands
	accounts := auditIdle
	if groups > 0 {
		if b.patient++; b.patient < auditPatience {
			return 0
		}
		accounts = auditBusy
	}
	b.patient = 0
	return s.auditUpTo(accounts)
}

// auditUpTo audits up to that many accounts. After a beat it comes first: where groups leave no
// time an audit goes on all the same, by a slice a beat.
func (s *shard) auditUpTo(accounts int) (work int) {
	b := &s.bands
	accounts = min(s.sliceOf(accounts), b.left)
	if accounts == 0 || b.misses.Claim(accounts) < accounts {
		return 0 // the auditor is behind; what is wrong will be found again
	}
	b.left -= accounts
	var isEnd bool
	b.found, isEnd = s.m.AuditStep(accounts, b.found[:0])
	if isEnd {
		b.left = 0 // once around is enough for one beat
		audited := s.m.BandCounts().Audited
		b.round, b.banded = audited, audited-b.round
	}
	for i := range b.found {
		s.reportMiss(&b.found[i])
	}
	return 1
}

// reportMiss tells the auditor of an account whose band is wrong, with all of its state.
func (s *shard) reportMiss(found *risk.BandMiss) {
	m := BandMiss{Shard: s.index, Seq: s.seq, Account: found.Account, Told: found.Told, Exact: found.Exact}
	if s.real != nil {
		m.View = new(risk.AccountView)
		s.real.ReadAccount(found.Account, m.View)
	}
	s.bands.misses.TryPush(&m)
}
