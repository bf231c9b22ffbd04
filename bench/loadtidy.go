package bench

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"plimsoll/risk"
)

// tidier keeps the number of resting orders bounded: it cancels all orders of the accounts that
// are full, beside the load, a batch of binary records a request. What it sends is counted, but
// is no part of what is measured; the daemon does that work all the same.
type tidier struct {
	fleet    *loadFleet
	full     chan *loadAccount
	conn     loadConn
	group    sync.WaitGroup
	commands atomic.Int64
	requests atomic.Int64
	fault    atomic.Pointer[error]
}

// tidyBatch is how many accounts one request tidies at most.
const tidyBatch = 64

func newTidier(f *loadFleet) (*tidier, error) {
	t := &tidier{fleet: f, full: make(chan *loadAccount, f.venue.load.Accounts)} // each is in there once at most
	conn, err := f.dial()
	if err != nil {
		return nil, err
	}
	const replyBytes = 32 << 10
	t.conn.conn, t.conn.in = conn, make([]byte, replyBytes)
	t.group.Go(t.run)
	return t, nil
}

// add has an account tidied.
func (t *tidier) add(a *loadAccount) { t.full <- a }

func (t *tidier) close() {
	close(t.full)
	t.group.Wait()
	_ = t.conn.conn.Close()
}

// run gathers full accounts and tidies them. After a fault it only gathers.
func (t *tidier) run() {
	batch := make([]*loadAccount, 0, tidyBatch)
	for a := range t.full {
		batch = append(batch[:0], a)
		for len(batch) < tidyBatch && len(t.full) > 0 {
			batch = append(batch, <-t.full)
		}
		if t.fault.Load() != nil || t.fleet.isClosed() {
			continue
		}
		if err := t.send(batch); err != nil {
			t.fault.Store(&err)
			continue
		}
		t.requests.Add(1)
		t.commands.Add(int64(len(batch)))
		for _, a := range batch {
			a.isTidy.Store(true)
		}
		time.Sleep(tidyPause)
	}
}

// tidyPause lets accounts gather.
const tidyPause = 200 * time.Microsecond

// send sends one batch until it is taken.
func (t *tidier) send(batch []*loadAccount) error {
	var body []byte
	for _, a := range batch {
		r := risk.Command{Kind: risk.KindCancelAll}
		r.Ref[risk.RefAccount] = t.fleet.venue.slots[a.number]
		body = risk.AppendCommand(body, &r)
	}
	l := *t.fleet.venue.load
	l.Format = FormatBinary
	heads := newLoadHeads(&l, t.fleet.host, false)
	request := append(fmt.Appendf(heads.commands, "%d\r\n\r\n", len(body)), body...)
	for {
		if _, err := t.conn.conn.Write(request); err != nil {
			return err
		}
		status, reply, err := t.conn.read()
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return nil
		case status != http.StatusTooManyRequests:
			return fmt.Errorf("cancel_all: status %d: %.300s", status, reply)
		}
		time.Sleep(busyPause)
	}
}
