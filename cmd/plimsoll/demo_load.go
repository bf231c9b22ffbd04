package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// Limits of the loader. Two batches are in flight: one is drawn while the other is applied,
// and together they leave half of ingress to HTTP users.
const (
	loadRecords = 1024 // records of one batch
	loadFlights = 2
)

// flight is one batch of imports on its way.
type flight struct {
	records []risk.Command
	results []engine.Result
	ticket  engine.Ticket
	count   int // accounts in it; 0 = not on its way
}

// loader imports synthetic accounts straight into the pipeline.
type loader struct {
	d       *daemon
	s       *synthesizer
	flights [loadFlights]flight
	next    int // number of the next account
	loaded  int // accounts answered
}

// run imports `accounts` accounts; told is called after every batch.
func (l *loader) run(ctx context.Context, accounts int, told func(loaded int)) error {
	for turn := 0; l.loaded < accounts; turn = (turn + 1) % loadFlights {
		f := &l.flights[turn]
		if err := l.land(f); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			l.next = accounts // draw no more; what is on its way still lands
		}
		l.draw(f, accounts)
		if err := l.launch(f); err != nil {
			return err
		}
		told(l.loaded)
		if l.next >= accounts && l.isEmpty() {
			break
		}
	}
	return ctx.Err()
}

func (l *loader) isEmpty() bool {
	for i := range l.flights {
		if l.flights[i].count > 0 {
			return false
		}
	}
	return true
}

// draw fills a batch and gives its accounts their slots.
func (l *loader) draw(f *flight, accounts int) {
	f.records, f.count = f.records[:0], 0
	var name [16]byte
	for l.next < accounts && len(f.records)+recordsPerImport <= loadRecords {
		first := len(f.records)
		f.records = l.s.account(f.records, appendAccountName(name[:0], l.next))
		l.reserve(f.records[first:])
		l.next++
		f.count++
	}
	if cap(f.results) < f.count {
		f.results = make([]engine.Result, f.count)
	}
	f.results = f.results[:f.count]
}

// appendAccountName names synthetic account n: demo-00000042.
func appendAccountName(dst []byte, n int) []byte {
	const width = 8
	dst = append(dst, "demo-"...)
	for digits := len(strconv.Itoa(n)); digits < width; digits++ {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// reserve binds an account's name to the next free slot. HTTP users open accounts at the
// same time; whoever binds first has the slot.
func (l *loader) reserve(group []risk.Command) {
	for {
		group[0].Ref[risk.RefAccount] = l.d.dir.AccountCount()
		if l.d.dir.Observe(group) {
			return
		}
	}
}

// launch sends a batch; while a ring is full of HTTP users' requests it waits.
func (l *loader) launch(f *flight) error {
	if f.count == 0 {
		return nil
	}
	for {
		ticket, err := l.d.engine.SubmitAsync(f.records, f.results)
		if err == nil {
			f.ticket = ticket
			return nil
		}
		if !errors.Is(err, engine.ErrBusy) {
			f.count = 0
			return err
		}
		time.Sleep(busyPause)
	}
}

// land waits for a batch.
func (l *loader) land(f *flight) error {
	if f.count == 0 {
		return nil
	}
	if err := l.d.engine.Wait(f.ticket); err != nil {
		return err
	}
	l.loaded += f.count
	f.count = 0
	for i := range f.results {
		if r := &f.results[i]; r.Reason != risk.ReasonNone {
			return fmt.Errorf("demo: import at seq %d is refused: %s, number %d", r.Seq, r.Reason, r.Field)
		}
	}
	return nil
}
