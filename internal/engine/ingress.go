package engine

import (
	"errors"
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// What Submit and Read answer when a request never entered the order. Refusals by the
// rules are no errors: they are Results.
var (
	// ErrBusy says that a ring or the ticket table is full; nothing of the request was applied.
	ErrBusy = errors.New("engine: busy")
	// ErrClosed says that the engine is draining or closed.
	ErrClosed = errors.New("engine: closed")
	// ErrMalformed says that records do not form whole groups of known kinds; see Submit.
	ErrMalformed = errors.New("engine: malformed records")
	// ErrTooLarge says that a group or a batch is above a named limit.
	ErrTooLarge = errors.New("engine: too large")
	// ErrReadOnly says that the disk is nearly full: commands are turned away, reads go on.
	ErrReadOnly = errors.New("engine: read-only: the disk is nearly full")
	// ErrNoJournal says that the engine keeps nothing, so there is nothing to snapshot.
	ErrNoJournal = errors.New("engine: nothing is kept")
	// ErrHistory says that events asked for are no longer kept in memory.
	ErrHistory = errors.New("engine: events no longer kept")
)

// Submit puts all records into the order at consecutive places, or none of them, and
// blocks until every group is durable, applied and answered: results[i] answers group i.
// A group is a head record and the GroupLeft records after it that count down to 0; only
// the head's Client, id and TimeMs count. Seq, Ticket and the rest are overwritten.
// Repeats of an id take no place. By the wall clock the tick that ends one batch and the one
// that begins the next may share a place: see Result.IsConflated.
func (e *Engine) Submit(records []risk.Command, results []Result) error {
	if len(records) == 0 {
		return nil
	}
	t, err := e.enter(records, results)
	if err != nil {
		return err
	}
	e.runner.help(t)
	err = e.await(t)
	if t.isTraced && err == nil {
		e.resume(t, nil)
	}
	e.leave(t, err)
	return err
}

// Ticket is a batch in flight.
type Ticket struct{ t *ticket }

// IsDone reports whether all results are there.
func (t Ticket) IsDone() bool { return t.t.isDone() }

// SubmitAsync is Submit without the wait: results must be left alone until Wait, which
// every ticket needs exactly once. It is meant for load generators and pipelined readers.
func (e *Engine) SubmitAsync(records []risk.Command, results []Result) (Ticket, error) {
	if len(records) == 0 {
		return Ticket{}, fmt.Errorf("%w: no records", ErrMalformed)
	}
	t, err := e.enter(records, results)
	if err != nil {
		return Ticket{}, err
	}
	e.runner.kick()
	return Ticket{t: t}, nil
}

// Wait blocks until a batch is answered and gives its ticket back.
func (e *Engine) Wait(t Ticket) error {
	e.runner.help(t.t)
	err := e.await(t.t)
	if t.t.isTraced && err == nil {
		e.resume(t.t, nil)
	}
	e.leave(t.t, err)
	return err
}

// Read runs fn on the machine that owns an account slot, between two commands: it sees
// every command acknowledged before Read was called. It returns the Seq that it follows.
// fn keeps nothing of the machine and calls nothing of the engine.
func (e *Engine) Read(account uint32, fn func(m *risk.Machine)) (seq uint64, err error) {
	marker := risk.Command{Kind: kindRead}
	marker.Ref[risk.RefAccount] = account
	seq, _, err = e.read(&marker, fn, nil)
	return seq, err
}

// ReadAll runs fn on every machine at the same place of the order, but possibly at the
// same time: each call writes to memory of its own shard only.
func (e *Engine) ReadAll(fn func(shard int, m *risk.Machine)) (seq uint64, err error) {
	seq, _, err = e.read(&risk.Command{Kind: kindReadAll}, nil, fn)
	return seq, err
}

func (e *Engine) read(marker *risk.Command, one func(*risk.Machine), all func(int, *risk.Machine)) (
	seq uint64, ids fixedpoint.Hash128, err error,
) {
	t, err := e.take()
	if err != nil {
		return 0, ids, err
	}
	t.one, t.all = one, all
	first, ok := e.ingress.TryClaim(1)
	if !ok {
		e.tickets.put(t)
		return 0, ids, e.busy()
	}
	slot := e.ingress.Slot(first)
	*slot = *marker
	slot.Ticket = t.number
	e.ingress.Publish(first, 1)
	e.runner.help(t)
	if err := e.await(t); err != nil {
		return 0, ids, err
	}
	seq, ids = t.seq, t.idHash
	e.leave(t, nil)
	return seq, ids, nil
}

// enter claims places for a batch and publishes it.
func (e *Engine) enter(records []risk.Command, results []Result) (*ticket, error) {
	groups, err := e.check(records)
	if err != nil {
		return nil, err
	}
	if len(results) < groups {
		return nil, fmt.Errorf("%w: %d results for %d groups", ErrMalformed, len(results), groups)
	}
	if e.isReadOnly() {
		return nil, ErrReadOnly
	}
	e.sequencer.prefetch(&records[0]) // while the ticket and the places are taken
	t, err := e.take()
	if err != nil {
		return nil, err
	}
	t.results = results[:groups]
	first, ok := e.ingress.TryClaim(len(records))
	if !ok {
		e.tickets.put(t)
		return nil, e.busy()
	}
	for i := range records {
		slot := e.ingress.Slot(first + uint64(i))
		*slot = records[i]
		slot.Seq, slot.Ticket = 0, t.number
	}
	e.ingress.Slot(first).Seq = batchHead
	if weight := e.tracer.picks(&t.owed, len(records)); weight > 0 {
		t.isTraced = true
		e.ingress.Slot(first + uint64(e.begin(t, weight, len(records), groups))).Ticket |= ticketTraced
	}
	e.ingress.Publish(first, len(records))
	return t, nil
}

// take returns a ticket, unless the engine is closing. It looks at closing only after it
// has one: Close sets closing and then takes all tickets, so one of the two sees the
// other.
func (e *Engine) take() (*ticket, error) {
	if err := e.fault.Load(); err != nil {
		return nil, *err
	}
	t := e.tickets.take()
	if e.closing.Load() {
		if t != nil {
			e.tickets.put(t)
		}
		return nil, ErrClosed
	}
	if t == nil {
		return nil, e.busy()
	}
	return t, nil
}

func (e *Engine) busy() error {
	e.counters.add(CounterBusy, 1)
	return ErrBusy
}

// check counts the groups of a batch and tests their form.
func (e *Engine) check(records []risk.Command) (groups int, err error) {
	if len(records) > e.cfg.IngressSlots {
		return 0, fmt.Errorf("%w: a batch of %d records, at most %d fit", ErrTooLarge, len(records), e.cfg.IngressSlots)
	}
	for at := 0; at < len(records); groups++ {
		head := &records[at]
		size := int(head.GroupLeft) + 1
		switch {
		case size > e.cfg.GroupMax:
			return 0, fmt.Errorf("%w: a group of %d records, at most %d are allowed", ErrTooLarge, size, e.cfg.GroupMax)
		case at+size > len(records):
			return 0, fmt.Errorf("%w: record %d announces %d more than there are", ErrMalformed, at, at+size-len(records))
		case head.IDForm != risk.FormNone && int(head.Client) >= e.cfg.ClientsMax:
			return 0, fmt.Errorf("%w: client %d of at most %d", ErrTooLarge, head.Client, e.cfg.ClientsMax)
		}
		for i := range size {
			c := &records[at+i]
			if isMarker(c) || int(c.GroupLeft) != size-1-i {
				return 0, fmt.Errorf("%w: record %d is out of its group", ErrMalformed, at+i)
			}
		}
		at += size
	}
	return groups, nil
}

// await blocks until the ticket is done or the engine has failed.
func (e *Engine) await(t *ticket) error {
	if t.isDone() || !t.state.CompareAndSwap(ticketPending, ticketWaiting) {
		return nil
	}
	select {
	case <-t.wake:
		return nil
	case <-e.failed:
		return *e.fault.Load()
	}
}

// leave gives a ticket back. After a fault it may still be in the rings: then it is lost,
// as is the engine.
func (e *Engine) leave(t *ticket, err error) {
	if err == nil {
		e.tickets.put(t)
	}
}
