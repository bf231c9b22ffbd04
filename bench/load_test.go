package bench

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// backgroundLoad sends orders and their cancels at a fixed rate over a few connections, one
// command a request, while something else is measured.
type backgroundLoad struct {
	group  sync.WaitGroup
	isOver atomic.Bool
	began  time.Time
	lasted time.Duration
	took   [loadConnections][]time.Duration // due to answer
	faults [loadConnections]error
}

// startLoad has accounts far from any line order about 540 dollars of one perp and cancel it
// with the next request.
func (v *liveVenue) startLoad(b *testing.B) *backgroundLoad {
	b.Helper()
	order := newTemplate(`{"type":"order","account":"0x0000000000000000000000000000000000000000",` +
		`"order_id":"0x00000000000000000000000000000000","market":"P17","side":"buy","size":"12.46","price":"43.5334"}`)
	cancel := newTemplate(`{"type":"cancel","account":"0x0000000000000000000000000000000000000000",` +
		`"order_id":"0x00000000000000000000000000000000"}`)
	cancel.text = padded(cancel.text, len(order.text))
	rich := v.w.rich()
	edit := func(body []byte, number, turn int) {
		n := (turn/2)*loadConnections + number
		t := order
		if turn%2 == 1 {
			t = cancel
		}
		copy(body, t.text)
		appendAddress(body[t.account:t.account], rich[n%len(rich)])
		putHex(body[t.orderID:t.orderID+34], uint64(n)+1)
	}
	l := &backgroundLoad{began: time.Now()}
	for n, c := range newFleet(b, v.api, loadConnections, "/v1/commands", kindJSON, order.text, edit) {
		l.group.Go(func() { l.faults[n] = l.send(n, c) })
	}
	b.Cleanup(func() { l.isOver.Store(true) })
	return l
}

// template is a command whose account and order id are overwritten in place.
type template struct {
	text             []byte
	account, orderID int
}

func newTemplate(text string) template {
	t := template{text: []byte(text)}
	t.account = bytes.Index(t.text, []byte(`"0x`)) + 1
	t.orderID = bytes.LastIndex(t.text, []byte(`"0x`)) + 1
	return t
}

// rich returns the accounts whose slack is above 30 % of their gross notional.
func (w *crowd) rich() (accounts []int) {
	for i, cash := range w.cash {
		if gross, required := w.requirement(i, marketAt(mostHeld).price); cash-required > gross/10*3 {
			accounts = append(accounts, i)
		}
	}
	return accounts
}

// send sends one connection's share until the end; its requests are spread over the gaps of
// the other connections.
func (l *backgroundLoad) send(n int, c *caller) error {
	const every = time.Second * loadConnections / loadRate
	for turn := 0; !l.isOver.Load() || turn%2 == 1; turn++ {
		due := l.began.Add(time.Duration(turn)*every + time.Duration(n)*every/loadConnections)
		time.Sleep(time.Until(due))
		if err := c.once(); err != nil {
			return err
		}
		if !bytes.Contains(c.reply[:512], []byte(`"ok":true`)) {
			return fmt.Errorf("background command refused: %.300s", c.reply)
		}
		l.took[n] = append(l.took[n], time.Since(due))
	}
	return nil
}

// stop waits until every order is cancelled.
func (l *backgroundLoad) stop(b *testing.B) {
	b.Helper()
	l.isOver.Store(true)
	l.group.Wait()
	l.lasted = time.Since(l.began)
	for _, err := range l.faults {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (l *backgroundLoad) report(b *testing.B) {
	b.Helper()
	var all []time.Duration
	for _, took := range l.took {
		all = append(all, took...)
	}
	reportMicros(b, "order-p99-us", all, 0.99)
	b.ReportMetric(float64(len(all))/l.lasted.Seconds(), "load/s")
}
