package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"plimsoll/bench"
	"plimsoll/client"
)

// The soak runs the real daemon, journaled, on the machine's clock, at a part of what it can do:
// the load tool's open loop, and beside it everybody else whom a venue has, the bad ones too.
//
//	load tool    orders, cancels, fills, reads and ticks of its own perps, at soakPart of the maximum
//	desks        deposits, withdrawals, transfers, orders, fills; each keeps its own record of what was acknowledged
//	traders      both sides of a match, fees, leverage, stops, modifications
//	borrowers    loans against collateral whose price swings, so that interest accrues and health changes
//	feed         a tick of all perps and spots, funding of all perps, the clock
//	readers      every read, the venue's and ours, whole passes and what-ifs
//	events       one reader that follows, one that is cut and resumes, one that never reads; a viewer of the dashboard
//	bad clients  see soak_bad_test.go
//	probe        one order and its cancel again and again: how long one client waits
//
// What depends on the machine is compared with the same machine a moment before, and with a bare
// echo in this process.

const (
	soakPart  = 0.7             // of the maximum that was measured beside all other clients
	soakShort = 9 * time.Second // of load; PLIMSOLL_SOAK_FOR overrides
	soakDesks = 3
)

// soakFor returns how long the load lasts.
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("PLIMSOLL_SOAK_FOR")
	if text == "" {
		if testing.Short() {
			return soakShort / 2
		}
		return soakShort
	}
	long, err := time.ParseDuration(text)
	if err != nil || long < time.Second {
		t.Fatalf("PLIMSOLL_SOAK_FOR=%q, want a time such as 30m: %v", text, err)
	}
	return long
}

// soak is a daemon, who uses it, and what they have met.
type soak struct {
	d       *realDaemon
	venue   *soakVenue
	desks   []*desk
	follow  *eventReader
	resume  *eventReader
	probe   *probe
	watch   *soakWatch
	context context.Context // over when the clients are to stop
	stop    context.CancelFunc
	group   sync.WaitGroup
	readers sync.WaitGroup // of events: they end with the last event
	clients []*http.Client

	mu     sync.Mutex
	faults []string
	counts map[string]int
}

// TestSoak holds: no error of anybody who behaves, everybody else told off; memory, goroutines and
// waiting times flat; no miss of the bands' audit; the ledger adds up; and after a stop and a
// restart all that was acknowledged is there.
func TestSoak(t *testing.T) {
	long := soakFor(t)
	dir := filepath.Join(t.TempDir(), "data")
	began := time.Now()
	s := newSoak(t, upSoak(t, dir, long))
	s.start()
	before := s.capacity(t)
	slices.Sort(before.Rounds)
	capacity := before.Rounds[len(before.Rounds)/4] // others may use the machine later, as they did then
	t.Logf("%.1f s: the maximum beside all other clients is %.0f requests/s, %.2f of a bare echo's; %.0f in three rounds of four",
		time.Since(began).Seconds(), before.Requests, before.Ratio, capacity)
	s.watch.begin()
	report := s.load(t, soakPart*capacity, long)
	s.watch.finish()
	after := s.capacity(t)
	for tries := 1; tries < 5 && s.watch.isLong() && after.Ratio*soakRatioLoss < before.Ratio; tries++ {
		after = s.capacity(t) // others have the machine
	}
	s.end(t)
	t.Logf("%.1f s: requests of others: %v", time.Since(began).Seconds(), s.counts)
	s.checkClients(t, report, long)
	s.checkLatency(t, report, before, after)
	s.watch.check(t)
	s.checkLedger(t)
	s.checkRestart(t, dir, long)
	t.Logf("%.1f s in all", time.Since(began).Seconds())
}

// upSoak starts the daemon. Peers that dawdle are closed within the short form; snapshots are taken
// a few times.
func upSoak(t *testing.T, dir string, long time.Duration) *realDaemon {
	t.Helper()
	const least, most = 3 * time.Second, time.Minute
	every := min(max(long/5, least), most)
	return upReal(t, dir, "--clock", "wall", "--accounts-max", "20000", "--snapshot-every", every.String(),
		"--read-timeout", soakReadTimeout.String(), "--write-timeout", "5s")
}

func newSoak(t *testing.T, d *realDaemon) *soak {
	t.Helper()
	s := &soak{d: d, counts: map[string]int{}, desks: newDesks(soakDesks, 1), watch: &soakWatch{}}
	s.context, s.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		s.stop()
		s.group.Wait()
	})
	s.venue = newSoakVenue(t, s)
	from := d.status(t).Seq
	s.follow, s.resume = newEventReader(t, s, from), newEventReader(t, s, from)
	s.probe = newProbe(t, s)
	s.watch.idle = goroutinesAtWork(t, d)
	return s
}

// start starts everybody but the load tool.
func (s *soak) start() {
	for _, k := range s.desks {
		s.every("desk", 40*time.Millisecond, func(int) error { return k.paced(s.d.url) })
	}
	s.venue.start()
	s.startReaders()
	s.startEvents()
	s.startBad()
	s.probe.start(s)
	s.group.Go(func() { s.watch.run(s) })
}

// every has a client do something again and again, with a pause between; what goes wrong is a fault.
func (s *soak) every(who string, pause time.Duration, step func(n int) error) {
	s.group.Go(func() {
		for n := 0; s.context.Err() == nil; n++ {
			if err := step(n); err != nil {
				s.fault("%s, step %d: %v", who, n, err)
			} else {
				s.count(who)
			}
			select {
			case <-time.After(pause):
			case <-s.context.Done():
			}
		}
	})
}

// fault notes what must not happen; the first few are told.
func (s *soak) fault(format string, args ...any) {
	const most = 10
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts["faults"]++
	if len(s.faults) < most {
		s.faults = append(s.faults, fmt.Sprintf(format, args...))
	}
}

func (s *soak) count(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[who]++
}

// client returns a client that does not try again: what fails once is a fault.
func (s *soak) client(t *testing.T, name string) *client.Client {
	t.Helper()
	h := s.http()
	h.Timeout = 0
	c, err := client.New(s.d.url, client.Options{Name: name, RetriesMax: -1, AttemptMax: startDeadline, HTTP: h})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// http returns what has connections of its own, which end closes.
func (s *soak) http() *http.Client {
	c := &http.Client{Timeout: startDeadline, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	s.clients = append(s.clients, c)
	return c
}

// paced sends a few commands, and records the answers.
func (d *desk) paced(url string) error {
	const most = 8
	for n := 1 + d.rng.IntN(most); len(d.record)-d.open < n; {
		d.draw()
	}
	status, answers, text := d.send(url, d.open, len(d.record))
	if answers == nil {
		return fmt.Errorf("%s: commands %d to %d answer %d %s", d.name(), d.open, len(d.record), status, text)
	}
	d.take(answers)
	return nil
}

// loadOf returns what the load tool sends.
func (s *soak) loadOf() bench.Load {
	l := bench.DefaultLoad()
	l.URL, l.Prefix, l.Accounts, l.Markets, l.Positions, l.Connections = s.d.url, "soak", 500, 20, 3, 32
	l.Mix = bench.Mix{bench.KindOrder: 40, bench.KindCancel: 38, bench.KindFill: 10, bench.KindRead: 10, bench.KindPrices: 2}
	l.WarmUp, l.Timeout, l.Alarm = 0, startDeadline, newAlarm
	return l
}

// capacity finds the maximum, and what part of a bare echo's that is.
func (s *soak) capacity(t *testing.T) *bench.Max {
	t.Helper()
	l := s.loadOf()
	l.IsEcho, l.For, l.Rate = true, 100*time.Millisecond, bench.Rate{OfMax: 0.3}
	return s.run(t, l).Max
}

// load is the soak itself. Whatever the load tool calls an error is a fault.
func (s *soak) load(t *testing.T, perSecond float64, long time.Duration) *bench.Report {
	t.Helper()
	const warmUp = 1500 * time.Millisecond
	l := s.loadOf()
	l.WarmUp, l.For, l.Rate = warmUp, long, bench.Rate{PerSecond: perSecond}
	return s.run(t, l)
}

func (s *soak) run(t *testing.T, l bench.Load) *bench.Report {
	t.Helper()
	r, err := bench.RunLoad(t.Context(), l)
	if err != nil {
		t.Fatalf("load: %v; faults of others: %v; log: %s", err, s.faults, shortLog(s.d.log.String()))
	}
	for _, text := range r.Faults {
		s.fault("load tool: %s", text)
	}
	return r
}
