package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"plimsoll/risk"
)

// Totals are a pass over all accounts as of one place of the order, taken while the order
// goes on:
//
//	caller     joins the pass that waits, or makes one and leads it
//	leader     when the pass before is counted: a marker into the order
//	shards     at the marker: BeginTotals                    then a few accounts a Poll
//	leader     when the last shard is done: adds their parts, tells all who share the pass
//
// One pass is under way at a time. Whoever comes while it is waits for the next, whose
// marker is not in the order yet: so everybody sees what was acknowledged before he asked,
// and a hundred callers cost no more than two passes.

// Accounts that one Poll counts, and how long callers wait. An account of four positions
// takes 0.2 to 0.4 us, so a group that arrives meanwhile waits some 25 us at most, or where
// groups take long, an eighth of what they take.
const (
	totalsIdle    = 64                    // after a Poll without groups
	totalsBusy    = 8                     // after one with groups, again and again for a share of the time
	totalsShare   = 8                     // that has gone by since the last
	totalsMost    = 20 * time.Millisecond // but no longer than that
	totalsTimeout = 20 * time.Second      // for a caller, the pass before included
)

// ErrTotalsTimeout says that a pass was not over in time; it goes on, nobody waits for it.
var ErrTotalsTimeout = errors.New("engine: the pass over all accounts was not over in time")

// totalsPass is one pass and all who wait for it.
type totalsPass struct {
	nearest int               // most that any of its callers asked for; fixed when it begins
	shock   *risk.Shock       // that it values accounts under as well, or nil; fixed when it begins
	views   []risk.TotalsView // by shard; each shard's own until counted
	left    atomic.Int32      // shards that are not done
	counted chan struct{}     // closed by the shard that is last
	done    chan struct{}     // closed by the leader, after view, seq and err

	view *risk.TotalsView
	seq  uint64
	err  error
}

// totalsDesk says which pass is under way and which one takes callers. Its lock is held by
// callers only, for a few instructions: no stage ever takes it.
type totalsDesk struct {
	lock    chan struct{} // holds one thing while it is taken
	running *totalsPass   // begun last, or nil
	waiting *totalsPass   // the next, or nil
}

func newTotalsDesk() totalsDesk { return totalsDesk{lock: make(chan struct{}, 1)} }

// join returns the pass that waits, for one more caller; it is his to lead if he made it.
func (d *totalsDesk) join(nearest, shards int) (p *totalsPass, isLeader bool) {
	p, isLeader, _ = d.joinShocked(nearest, shards, nil)
	return p, isLeader
}

// joinShocked is join for a caller who wants a shock, if not nil. A pass takes one: while the
// one that waits has another, that is returned, and it is not joined.
func (d *totalsDesk) joinShocked(nearest, shards int, shock *risk.Shock) (p *totalsPass, isLeader, isJoined bool) {
	d.lock <- struct{}{}
	defer func() { <-d.lock }()
	if p = d.waiting; p != nil && shock != nil && p.shock != nil && *p.shock != *shock {
		return p, false, false
	}
	if isLeader = d.waiting == nil; isLeader {
		d.waiting = &totalsPass{
			views: make([]risk.TotalsView, shards), counted: make(chan struct{}), done: make(chan struct{}),
		}
		d.waiting.left.Store(int32(shards)) //nolint:gosec // at most shardsMax
	}
	d.waiting.nearest = max(d.waiting.nearest, nearest)
	if shock != nil {
		d.waiting.shock = shock
	}
	return d.waiting, isLeader, true
}

// before returns the pass that must be over before the one that waits.
func (d *totalsDesk) before() *totalsPass {
	d.lock <- struct{}{}
	defer func() { <-d.lock }()
	return d.running
}

// turn takes a pass off the desk: callers join the next from now on. It is under way, or
// was given up before it began.
func (d *totalsDesk) turn(p *totalsPass, isUnderWay bool) {
	d.lock <- struct{}{}
	defer func() { <-d.lock }()
	if d.waiting == p {
		d.waiting = nil
	}
	if isUnderWay {
		d.running = p
	} else if d.running == p {
		d.running = nil
	}
}

// Totals counts all accounts at one place of the order, with those nearest to their line,
// and returns the place. The view is shared by all who asked meanwhile: it may have more
// of the nearest than were asked for here, worst first, and is not to be changed.
func (e *Engine) Totals(nearest int) (view *risk.TotalsView, seq uint64, err error) {
	nearest = max(0, min(nearest, risk.NearestMax))
	p, isLeader := e.totals.join(nearest, len(e.shards))
	return e.takePass(p, isLeader)
}

// shocksMax is how many passes under other shocks a caller lets go before.
const shocksMax = 4

// WhatIf is Totals by a pass that values every account under a shock as well: the view has
// what it found (risk.WhatIf). Callers with the same shock share a pass, others take turns.
func (e *Engine) WhatIf(shock risk.Shock) (view *risk.TotalsView, seq uint64, err error) {
	for range shocksMax {
		p, isLeader, isJoined := e.totals.joinShocked(0, len(e.shards), &shock)
		if isJoined {
			return e.takePass(p, isLeader)
		}
		<-p.done
	}
	return nil, 0, ErrBusy
}

// takePass leads a pass that is the caller's to lead, and waits for it.
func (e *Engine) takePass(p *totalsPass, isLeader bool) (view *risk.TotalsView, seq uint64, err error) {
	if isLeader {
		p.err = e.lead(p)
		close(p.done)
	}
	<-p.done // its leader waits no longer than totalsTimeout
	return p.view, p.seq, p.err
}

// lead takes a pass through. The ticket that it holds meanwhile keeps Close waiting.
func (e *Engine) lead(p *totalsPass) error {
	timeout := time.NewTimer(totalsTimeout)
	defer timeout.Stop()
	t, err := e.take()
	if err != nil {
		e.totals.turn(p, false)
		return err
	}
	if last := e.totals.before(); last != nil {
		if err = e.awaitCounted(last, timeout); err != nil {
			e.totals.turn(p, false)
			e.tickets.put(t)
			return err
		}
	}
	e.totals.turn(p, true)
	t.all = func(shard int, _ *risk.Machine) { e.shards[shard].beginTotals(p) }
	if !e.mark(t, &risk.Command{Kind: kindReadAll}) {
		e.totals.turn(p, false)
		return e.busy()
	}
	e.runner.help(t)
	if err := e.await(t); err != nil {
		return err
	}
	p.seq = t.seq
	err = e.awaitCounted(p, timeout)
	e.leave(t, nil)
	if err != nil {
		return err
	}
	p.view = &p.views[0]
	for i := range p.views[1:] {
		p.view.Add(&p.views[1+i])
	}
	p.view.SortNearest()
	return nil
}

// mark puts a marker of a ticket into the order; if there is no room it gives the ticket
// back.
func (e *Engine) mark(t *ticket, marker *risk.Command) bool {
	first, ok := e.ingress.TryClaim(1)
	if !ok {
		e.tickets.put(t)
		return false
	}
	slot := e.ingress.Slot(first)
	*slot = *marker
	slot.Ticket = t.number
	e.ingress.Publish(first, 1)
	return true
}

// awaitCounted waits until all shards are done with a pass.
func (e *Engine) awaitCounted(p *totalsPass, timeout *time.Timer) error {
	select {
	case <-p.counted:
		return nil
	case <-e.failed:
		return *e.fault.Load()
	case <-timeout.C:
		return ErrTotalsTimeout
	}
}

// beginTotals begins this shard's part of a pass, at its marker. In the simulator there may
// be a machine that counts nothing.
func (s *shard) beginTotals(p *totalsPass) {
	if s.real == nil {
		p.finish()
		return
	}
	if p.shock != nil {
		s.real.BeginWhatIf(&p.views[s.index], p.nearest, *p.shock)
	} else {
		s.real.BeginTotals(&p.views[s.index], p.nearest)
	}
	s.totals, s.totalsAt = p, time.Now()
}

// stepTotals counts some accounts: a slice after a Poll without groups; after one with groups
// for a share of the time since the last slice, so that a pass comes to its end however long
// groups take.
func (s *shard) stepTotals(groups int) (work int) {
	switch {
	case groups == 0:
		s.sliceTotals(totalsIdle)
	case s.cfg.stepMax > 0: // the simulator's: no clock
		s.sliceTotals(totalsBusy)
	default:
		began := time.Now()
		budget := min(began.Sub(s.totalsAt)/totalsShare, totalsMost)
		for s.sliceTotals(totalsBusy); s.totals != nil && time.Since(began) < budget; {
			s.sliceTotals(totalsBusy)
		}
	}
	s.totalsAt = time.Now()
	return 1
}

// sliceTotals counts up to that many accounts, and ends the pass after the last.
func (s *shard) sliceTotals(accounts int) {
	if s.cfg.stepMax > 0 {
		accounts = min(accounts, s.cfg.stepMax)
	}
	if s.real.TotalsStep(accounts) {
		p := s.totals
		s.totals = nil
		p.finish()
	}
}

// finish says that one more shard is done.
func (p *totalsPass) finish() {
	if p.left.Add(-1) == 0 {
		close(p.counted)
	}
}
