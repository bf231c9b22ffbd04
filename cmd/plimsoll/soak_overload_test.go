package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/client"
	"plimsoll/risk"
)

// The overload pays cents into accounts, one account a connection, so that whoever was told that a
// request was taken can count it on the account afterwards, and what was refused must not be there.

const (
	overloadFactor = 3   // times the maximum that was measured a moment before
	overloadConns  = 192 // that send at once: with batches of 256 twice what all rings hold

	// How long what is accepted may take: so many times what a fair turn of all connections takes at
	// the rate at which requests are accepted, and something for who else uses the machine.
	overloadTurns     = 10
	overloadTurnsMore = 500 * time.Millisecond

	overloadRecovery = time.Second // after which a single order is as fast as before
	overloadNormal   = 5           // times the p99 before the load counts as that, and something
	overloadMore     = 50 * time.Millisecond
)

// payer is one connection and its account.
type payer struct {
	name    string
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	batch   int
	cents   int64 // acknowledged
	busy    int64 // 429
	bare    int64 // 429 without Retry-After
	service samples
	fault   error
}

// overload is a daemon with payers.
type overload struct {
	d      *realDaemon
	client *client.Client
	payers []*payer
	orders int
}

// TestOverload loads a daemon with three times what it can do. With the flags as they are, batches
// fill the ring before the sequencer, and with few tickets single commands meet the bound on requests
// in flight: what is above gets 429 and Retry-After. Single commands on fewer connections than there
// are tickets meet no bound, and need none: HTTP is what holds them up, and each waits its turn.
func TestOverload(t *testing.T) {
	for _, c := range []struct {
		name        string
		batch       int
		fair        int // connections that meet no bound: the maximum is what these get
		flags       []string
		isUnrefused bool
	}{
		{name: "batches", batch: 256, fair: 12},
		{name: "few tickets", batch: 1, fair: 8, flags: []string{"--tickets", "8"}},
		{name: "single commands", batch: 1, fair: overloadConns, isUnrefused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.isUnrefused {
				t.Skip("short")
			}
			dir := filepath.Join(t.TempDir(), "data")
			o := newOverload(t, upReal(t, dir, c.flags...), c.batch)
			normal := o.normal(t)
			const measured, loaded = 300 * time.Millisecond, 900 * time.Millisecond
			capacity := pressed(o.payers[:c.fair], 0, measured)
			load := pressed(o.payers, overloadFactor*capacity.perSecond(), loaded)
			recovered := o.recover(t, normal)
			t.Logf("maximum %.0f requests/s of %d; at %d times that: %s; a single order is as fast as before after %s",
				capacity.perSecond(), c.batch, overloadFactor, load, recovered)
			load.check(t, c.isUnrefused)
			o.checkBalances(t, o.d.url)
			o.d.kill()
			o.checkBalances(t, upReal(t, dir, c.flags...).url)
		})
	}
}

// newOverload opens the accounts.
func newOverload(t *testing.T, d *realDaemon, batch int) *overload {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(d.url, client.Options{Name: "overload", AttemptMax: startDeadline, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	o := &overload{d: d, client: c}
	commands := []client.Command{
		client.OpenAccount{Account: "single", Mode: "portfolio"}, client.Deposit{Account: "single", Token: "USDC", Amount: "1000000"},
	}
	for i := range overloadConns {
		commands = append(commands, client.OpenAccount{Account: fmt.Sprint("payer", i), Mode: "standard"})
	}
	results, err := c.DoAll(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i := range overloadConns {
		r := &results[len(results)-overloadConns+i]
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		p := &payer{name: fmt.Sprint("payer", i), batch: batch}
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://")) //nolint:noctx // at once
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		p.conn, p.in = conn, bufio.NewReaderSize(conn, 16<<10)
		command := risk.Command{Kind: risk.KindDeposit, Wallets: [2]uint16{uint16(risk.WalletSpot)}}
		command.Ref[risk.RefAccount] = r.Index
		command.SetNum(0, 1, 2)
		p.request = fmt.Appendf(nil, "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.plimsoll.commands\r\nContent-Length: %d\r\n\r\n",
			batch*risk.CommandSize)
		for range batch {
			p.request = risk.AppendCommand(p.request, &command)
		}
		o.payers = append(o.payers, p)
	}
	return o
}

// pay sends the request once. The answer is that all was taken, or that nothing was.
func (p *payer) pay() error {
	began := time.Now()
	_ = p.conn.SetDeadline(began.Add(startDeadline))
	if _, err := p.conn.Write(p.request); err != nil {
		return err
	}
	reply, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(reply.Body)
	_ = reply.Body.Close()
	switch {
	case err != nil:
		return err
	case reply.StatusCode == http.StatusTooManyRequests:
		p.busy++
		if reply.Header.Get("Retry-After") == "" {
			p.bare++
		}
	case reply.StatusCode != http.StatusOK || bytes.Count(body, []byte(`"ok":true`)) != p.batch:
		return fmt.Errorf("%s: status %d: %.300s", p.name, reply.StatusCode, body)
	default:
		p.service.add(began)
		p.cents += int64(p.batch)
	}
	return nil
}

// burden is what a load was like.
type burden struct {
	due, unsent    int64
	accepted, busy int64
	bare           int64
	took           time.Duration
	began          time.Time
	service        samples
	faults         []error
}

func (b *burden) perSecond() float64 { return float64(b.accepted) / b.took.Seconds() }

func (b *burden) String() string {
	all := b.service.between(b.began, b.began.Add(time.Hour))
	return fmt.Sprintf("%d due, %d accepted (%.0f/s), %d answered 429, %d not sent in time; accepted ones took p50 %s p99 %s p99.9 %s",
		b.due, b.accepted, b.perSecond(), b.busy, b.unsent, ms(int64(percentile(all, 500))), ms(int64(percentile(all, 990))), ms(int64(percentile(all, 999))))
}

// pressed has payers send perSecond requests a second for a time, whatever comes back, or with 0 as
// many as are answered. Each has one in flight; what is due while all have is sent late, or never.
func pressed(payers []*payer, perSecond float64, long time.Duration) *burden {
	b := &burden{began: time.Now()}
	var next atomic.Int64
	var group sync.WaitGroup
	for _, p := range payers {
		p.service.list, p.busy, p.bare = nil, 0, 0
		group.Go(func() {
			for p.fault == nil {
				if perSecond > 0 {
					due := b.began.Add(time.Duration(float64(next.Add(1)-1) / perSecond * float64(time.Second)))
					if time.Until(due) > 0 {
						time.Sleep(min(time.Until(due), time.Until(b.began.Add(long))))
					}
				}
				if time.Since(b.began) >= long {
					return
				}
				p.fault = p.pay()
			}
		})
	}
	group.Wait()
	b.took = time.Since(b.began)
	for _, p := range payers {
		b.accepted, b.busy, b.bare = b.accepted+int64(len(p.service.list)), b.busy+p.busy, b.bare+p.bare
		b.service.list = append(b.service.list, p.service.list...)
		if p.fault != nil {
			b.faults = append(b.faults, p.fault)
		}
	}
	b.due = int64(perSecond * long.Seconds())
	b.unsent = max(0, b.due-b.accepted-b.busy)
	return b
}

// check holds what is promised under overload.
func (b *burden) check(t *testing.T, isUnrefused bool) {
	t.Helper()
	for _, err := range b.faults {
		t.Error(err)
	}
	switch {
	case b.accepted == 0:
		t.Fatal("nothing was accepted")
	case isUnrefused && b.busy > 0:
		t.Errorf("%d requests were refused, want none: there is a ticket for each connection", b.busy)
	case !isUnrefused && b.busy == 0:
		t.Error("nothing was refused at three times the maximum")
	case b.bare > 0:
		t.Errorf("%d of %d refusals do not say when to come again", b.bare, b.busy)
	}
	turn := time.Duration(overloadConns / b.perSecond() * float64(time.Second))
	most := overloadTurns*turn + overloadTurnsMore
	all := b.service.between(b.began, b.began.Add(time.Hour))
	if got := percentile(all, 990); got > most {
		t.Errorf("p99 of what was accepted is %s, want at most %s: a turn of all takes %s", got, most, turn)
	}
	half := b.began.Add(b.took / 2)
	first, second := percentile(b.service.between(b.began, half), 990), percentile(b.service.between(half, b.began.Add(time.Hour)), 990)
	if second > soakSlowdown*first+overloadTurnsMore {
		t.Errorf("p99 of what was accepted grows: %s in the first half, %s in the second", first, second)
	}
}

// order has one order checked, and takes it away again.
func (o *overload) order() (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	o.orders++
	id := strconv.Itoa(o.orders)
	began := time.Now()
	_, err = o.client.Do(ctx, client.Order{Account: "single", Market: "BTC", Side: "buy", Size: "0.01", Price: "50000", OrderID: id})
	took = time.Since(began)
	if err == nil {
		_, err = o.client.Do(ctx, client.Cancel{Account: "single", OrderID: id})
	}
	return took, err
}

// normal returns up to how long a single order counts as fast: what is ordinary without load.
func (o *overload) normal(t *testing.T) time.Duration {
	t.Helper()
	var s samples
	began := time.Now()
	for range 60 {
		at := time.Now()
		took, err := o.order()
		if err != nil {
			t.Fatal(err)
		}
		s.list = append(s.list, sample{at, took})
	}
	return overloadNormal*percentile(s.between(began, time.Now()), 990) + overloadMore
}

// recover sends single orders after the load until one is fast, and returns when that was.
func (o *overload) recover(t *testing.T, normal time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		took, err := o.order()
		since := time.Since(began)
		switch {
		case err == nil && took <= normal && since <= overloadRecovery:
			return since
		case since > overloadRecovery:
			t.Errorf("%s after the load a single order takes %s (%v), want %s", since, took, err, normal)
			return since
		}
	}
}

// checkBalances wants on each account what its payer was told, no more and no less.
func (o *overload) checkBalances(t *testing.T, url string) {
	t.Helper()
	c, err := client.New(url, client.Options{Name: "overload"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range o.payers {
		a, err := c.Account(t.Context(), p.name)
		if err != nil {
			t.Fatal(err)
		}
		total := "0"
		for _, b := range a.Balances {
			total = b.Total
		}
		if got := inUnits(t, total, 2); got != p.cents {
			t.Errorf("%s holds %d cents, and was told that %d were taken", p.name, got, p.cents)
		}
	}
}
