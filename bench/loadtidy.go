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
	used     time.Time // when conn was
	group    sync.WaitGroup
	commands atomic.Int64
	requests atomic.Int64
	fault    atomic.Pointer[error]
}

// tidyBatch is how many accounts one request tidies at most.
const tidyBatch = 64

func newTidier(f *loadFleet) *tidier {
	t := &tidier{fleet: f, full: make(chan *loadAccount, f.venue.load.Accounts)} // each is in there once at most
	const replyBytes = 32 << 10
	t.conn.in = make([]byte, replyBytes)
	t.group.Go(t.run)
	return t
}

// tidyRest is how long the connection may rest; at low rates it does, for longer than a daemon
// waits for the first request, and is then opened anew.
const tidyRest = time.Second

// connect has a connection that was used a moment ago, or is new.
func (t *tidier) connect() (err error) {
	if t.conn.conn != nil {
		if time.Since(t.used) < tidyRest {
			return nil
		}
		_ = t.conn.conn.Close() // it may be closed already
	}
	t.conn.conn, err = t.fleet.dial()
	return err
}

// add has an account tidied.
func (t *tidier) add(a *loadAccount) { t.full <- a }

func (t *tidier) close() {
	close(t.full)
	t.group.Wait()
	if t.conn.conn != nil {
		_ = t.conn.conn.Close()
	}
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
		if err := t.connect(); err != nil {
			return err
		}
		if _, err := t.conn.conn.Write(request); err != nil {
			return err
		}
		status, reply, err := t.conn.read()
		t.used = time.Now()
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
