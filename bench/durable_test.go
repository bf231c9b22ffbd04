package bench

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

const (
	millionAccounts = 1_000_000
	batchRecords    = 1024
	offeredRate     = 200_000 // commands a second
	offeredBatch    = 256
	offeredFor      = 4 * time.Second
	flightsMax      = 32
)

// BenchmarkMillion brings a million accounts of four positions into an engine that keeps a
// journal, in frames of 1,024 commands, takes a snapshot of them under 200,000 orders a
// second, starts again from it, and once more from the journal alone.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("builds a million accounts")
	}
	for range b.N {
		dir := b.TempDir()
		cfg := durableConfig()
		e := recovered(b, cfg, dir)
		e.Start()
		w := draw(shape{accounts: millionAccounts, mode: risk.ModeUnified})
		sender := newSender(b, e)
		began := time.Now()
		w.settle(sender.take)
		sender.flush()
		sender.drain()
		metric(b, "load-Mcmd/s", float64(sender.sent)/time.Since(began).Seconds()/1e6)

		quiet := offer(b, e, w, 1)
		done := make(chan journal.SnapshotInfo)
		go func() {
			info, err := e.Snapshot()
			if err != nil {
				b.Error(err)
			}
			done <- info
		}()
		busy := offer(b, e, w, 2)
		info := <-done
		metric(b, "snapshot-s", info.Seconds)
		metric(b, "snapshot-MB", float64(info.Bytes)/1e6)
		metric(b, "quiet-p50-ms", percentile(quiet, 50))
		metric(b, "quiet-p99-ms", percentile(quiet, 99))
		metric(b, "busy-p50-ms", percentile(busy, 50))
		metric(b, "busy-p99-ms", percentile(busy, 99))
		want, _, err := e.StateHash()
		if err != nil {
			b.Fatal(err)
		}
		e.Close()

		restart := func(what string) {
			runtime.GC()
			began := time.Now()
			e := recovered(b, cfg, dir)
			took := time.Since(began).Seconds()
			metric(b, what+"-s", took)
			found := e.Status().Recovery
			metric(b, what+"-Mcmd/s", float64(found.Commands)/took/1e6)
			e.Start()
			if got, _, err := e.StateHash(); err != nil || got != want {
				b.Errorf("%s: state hash %x, want %x: %v", what, got, want, err)
			}
			e.Close()
		}
		restart("restart")
		snapshots, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
		if err != nil || len(snapshots) == 0 {
			b.Fatalf("no snapshot in %s: %v", dir, err)
		}
		for _, file := range snapshots {
			if err := os.Remove(file); err != nil {
				b.Fatal(err)
			}
		}
		restart("replay")
	}
	b.ReportMetric(0, "ns/op")
}

func metric(b *testing.B, what string, v float64) { b.Helper(); b.ReportMetric(v, what) }

func durableConfig() engine.Config {
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax = 1, millionAccounts
	cfg.Clock, cfg.AccrueMs = engine.ClockCommands, 0
	cfg.FrameMax = batchRecords
	return cfg
}

func recovered(b *testing.B, cfg engine.Config, dir string) *engine.Engine {
	b.Helper()
	e, _, err := engine.Recover(cfg, journal.DefaultOptions(dir), nil)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// sender sends groups in batches of a frame, several in flight.
type sender struct {
	b       *testing.B
	e       *engine.Engine
	batch   []risk.Command
	groups  int
	sent    int
	flights []flight
}

type flight struct {
	ticket  engine.Ticket
	results []engine.Result
}

func newSender(b *testing.B, e *engine.Engine) *sender {
	b.Helper()
	return &sender{b: b, e: e, batch: make([]risk.Command, 0, 2*batchRecords)}
}

func (s *sender) take(group []risk.Command) {
	stamp(group, 0)
	if len(s.batch)+len(group) > batchRecords {
		s.flush()
	}
	s.batch = append(s.batch, group...)
	s.groups++
}

func (s *sender) flush() {
	if s.groups == 0 {
		return
	}
	f := flight{results: make([]engine.Result, s.groups)}
	for {
		ticket, err := s.e.SubmitAsync(s.batch, f.results)
		if err == nil {
			f.ticket = ticket
			break
		}
		if !errors.Is(err, engine.ErrBusy) || len(s.flights) == 0 {
			s.b.Fatal(err)
		}
		s.settleOne()
	}
	s.sent += s.groups
	s.flights = append(s.flights, f)
	if len(s.flights) >= flightsMax {
		s.settleOne()
	}
	s.batch, s.groups = s.batch[:0], 0
}

func (s *sender) settleOne() {
	f := s.flights[0]
	s.flights = s.flights[1:]
	if err := s.e.Wait(f.ticket); err != nil {
		s.b.Fatal(err)
	}
	for i := range f.results {
		if r := &f.results[i]; r.Reason != risk.ReasonNone {
			s.b.Fatalf("refused at seq %d: %v", r.Seq, r.Reason)
		}
	}
}

func (s *sender) drain() {
	for len(s.flights) > 0 {
		s.settleOne()
	}
}

// offer sends orders of random accounts at the offered rate and returns the time from the
// moment each batch was due to its answer, in ms, sorted.
func offer(b *testing.B, e *engine.Engine, w *crowd, id uint64) []float64 {
	b.Helper()
	return offerUntil(b, e, w, id, func(at time.Duration) bool { return at > offeredFor })
}

// offerUntil is offer until isOver, which is told how long it has been.
func offerUntil(b *testing.B, e *engine.Engine, w *crowd, id uint64, isOver func(at time.Duration) bool) []float64 {
	b.Helper()
	type sent struct {
		flight
		due time.Time
	}
	flights := make(chan sent, 4*flightsMax)
	var took []float64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range flights {
			if err := e.Wait(s.ticket); err != nil {
				b.Error(err)
			}
			took = append(took, time.Since(s.due).Seconds()*1e3)
		}
	}()
	batch := make([]risk.Command, offeredBatch)
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * time.Second * offeredBatch / offeredRate)
		if isOver(due.Sub(began)) {
			break
		}
		for i := range batch { // half place an order, half take back one of the batch before
			k := (n+1)*offeredBatch/2 + i%(offeredBatch/2)
			if i >= offeredBatch/2 {
				k -= offeredBatch / 2
			}
			account := k * 7919 % w.accounts
			batch[i] = w.order(account, (account*7+k)%perpCount, id<<32|uint64(uint32(k)))
			if i >= offeredBatch/2 {
				batch[i].Kind = risk.KindCancel
			}
			batch[i].TimeMs = startMs
		}
		time.Sleep(time.Until(due))
		s := sent{due: due, flight: flight{results: make([]engine.Result, offeredBatch)}}
		for {
			ticket, err := e.SubmitAsync(batch, s.results)
			if err == nil {
				s.ticket = ticket
				break
			}
			if !errors.Is(err, engine.ErrBusy) {
				b.Fatal(err)
			}
			runtime.Gosched()
		}
		flights <- s
	}
	close(flights)
	<-done
	slices.Sort(took)
	return took
}

func percentile(sorted []float64, percent int) float64 { return sorted[len(sorted)*percent/100] }
