package main

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"plimsoll/client"
)

// sample is how long something took, and when that was.
type sample struct {
	at   time.Time
	took time.Duration
}

// samples are in the order of time.
type samples struct {
	mu   sync.Mutex
	list []sample
}

func (s *samples) add(began time.Time) {
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, sample{began, took})
}

// between returns what was measured in a time.
func (s *samples) between(from, to time.Time) (took []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.list {
		if !x.at.Before(from) && x.at.Before(to) {
			took = append(took, x.took)
		}
	}
	slices.Sort(took)
	return took
}

// percentile returns a percentile, in thousandths, of sorted times.
func percentile(sorted []time.Duration, thousandths int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*thousandths/1000)]
}

// ordinary is the median over the seconds of a time of each second's p99: what is bad most of the
// time, and not what was bad once because somebody else had the processor.
func (s *samples) ordinary(from, to time.Time) time.Duration {
	var all []time.Duration
	for at := from; at.Add(time.Second).Before(to.Add(time.Millisecond)); at = at.Add(time.Second) {
		if took := s.between(at, at.Add(time.Second)); len(took) > 0 {
			all = append(all, percentile(took, 990))
		}
	}
	slices.Sort(all)
	return percentile(all, 500)
}

// probe is one client that waits for each answer, and beside it a bare echo over loopback in this
// process: what the machine does to everybody.
type probe struct {
	client  *client.Client
	orders  samples
	echoes  samples
	conn    net.Conn
	message []byte
}

func newProbe(t *testing.T, s *soak) *probe {
	t.Helper()
	p := &probe{client: s.client(t, "probe"), message: make([]byte, 256)}
	for _, c := range []client.Command{
		client.OpenAccount{Account: "probe", Mode: "portfolio"}, client.Deposit{Account: "probe", Token: "USDC", Amount: "1000000"},
	} {
		if _, err := p.client.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	if p.conn, err = net.Dial("tcp", listener.Addr().String()); err != nil { //nolint:noctx // at once
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.conn.Close()
		_ = listener.Close()
	})
	return p
}

func (p *probe) start(s *soak) {
	s.every("probe", 10*time.Millisecond, func(n int) error { return p.order(n) })
	s.every("echo", 5*time.Millisecond, func(int) error {
		began := time.Now()
		if _, err := p.conn.Write(p.message); err != nil {
			return err
		}
		if _, err := io.ReadFull(p.conn, p.message); err != nil {
			return err
		}
		p.echoes.add(began)
		return nil
	})
}

// order has an order rest, or takes it away.
func (p *probe) order(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	id := strconv.Itoa(1 + n/2)
	var command client.Command = client.Order{Account: "probe", Market: "ETH", Side: "buy", Size: "0.1", Price: "1800", OrderID: id}
	if n%2 == 1 {
		command = client.Cancel{Account: "probe", OrderID: id}
	}
	began := time.Now()
	if _, err := p.client.Do(ctx, command); err != nil {
		return err
	}
	p.orders.add(began)
	return nil
}
