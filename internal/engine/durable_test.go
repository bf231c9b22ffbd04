package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// memLog is a log in memory with a goroutine that commits, and takes snapshots between two
// frames, as the real one does.
type memLog struct {
	mu       sync.Mutex
	frames   []*simFrame
	durable  atomic.Uint64
	isLow    atomic.Bool
	wake     func()
	handler  *replayer
	chain    journal.Chain // of what is committed
	built    journal.Chain
	asked    chan chan *capture
	arrived  chan struct{}
	stop     chan struct{}
	finished sync.WaitGroup
}

func newMemLog() *memLog {
	return &memLog{asked: make(chan chan *capture), arrived: make(chan struct{}, 1), stop: make(chan struct{})}
}

func (l *memLog) Start(wake func()) {
	l.wake = wake
	l.finished.Go(l.commit)
}

func (l *memLog) Append(h *journal.Header, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Number, h.Prev = l.built.Number+1, l.built.Link
	journal.AppendFrame(nil, h, body)
	if ok, err := l.built.Next(h); !ok || err != nil {
		return fmt.Errorf("not accepted: %w", err)
	}
	l.frames = append(l.frames, &simFrame{*h, slices.Clone(body)})
	select {
	case l.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (l *memLog) Durable() (uint64, error) { return l.durable.Load(), nil }
func (l *memLog) Space() (uint64, bool)    { return 0, l.isLow.Load() }

func (l *memLog) commit() {
	for {
		select {
		case <-l.stop:
			return
		case answer := <-l.asked:
			source, err := l.handler.Snapshot(l.chain)
			if err != nil {
				panic(err)
			}
			answer <- source.(*capture)
		case <-l.arrived:
			l.mu.Lock()
			fresh := l.frames[l.chain.Number:]
			l.mu.Unlock()
			for _, f := range fresh {
				if ok, err := l.chain.Next(&f.header); !ok || err != nil {
					panic(err)
				}
				l.durable.Store(f.header.LastSeq)
			}
			l.wake()
		}
	}
}

// photograph takes one snapshot.
func (l *memLog) photograph(t *testing.T) *simSnapshot {
	t.Helper()
	answer := make(chan *capture)
	l.asked <- answer
	c := <-answer
	defer c.Release()
	s := &simSnapshot{}
	for {
		work, isEnd, err := c.step(s)
		if err != nil {
			t.Error(err)
			return nil
		}
		if isEnd {
			if s.meta, err = c.finish(s); err != nil {
				t.Error(err)
			}
			return s
		}
		if work == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// TestSnapshotsWhileThreadsRun takes snapshots under load, on real goroutines, and brings
// every one of them forward to the end on another number of shards.
func TestSnapshotsWhileThreadsRun(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) {
			h := script{}
			for seed := range uint64(6) {
				more := realHistory(100*uint64(threads) + seed)
				if seed > 0 {
					more = more[2:] // listings and accounts are there
				}
				for _, batch := range more {
					for i := range batch {
						batch[i].TimeMs = 0
					}
				}
				h = append(h, more...)
			}
			snapshotThreaded(t, h, threads)
		})
	}
}

func snapshotThreaded(t *testing.T, h script, threads int) {
	t.Helper()
	cfg := testConfig(2)
	cfg.Threads, cfg.IDWindow, cfg.ClientsMax, cfg.FrameMax = threads, 16, 4, 8
	cfg.hashEvery, cfg.stepMax, cfg.bufferBytes = 4, 2, 1024
	log := newMemLog()
	cfg.Journal = log
	e := wire(cfg, riskHouse(&cfg))
	log.handler = newReplayer(e, &noteNames{})
	e.Start()
	var isOver atomic.Bool
	var taken []*simSnapshot
	var photographer sync.WaitGroup
	photographer.Go(func() {
		for !isOver.Load() {
			if s := log.photograph(t); s != nil {
				taken = append(taken, s)
			}
		}
	})
	for _, batch := range h {
		if err := e.Submit(batch, make([]Result, len(batch))); err != nil {
			t.Fatal(err)
		}
	}
	isOver.Store(true)
	photographer.Wait()
	want, seq, err := e.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	close(log.stop)
	log.finished.Wait()
	for i, s := range taken[:min(len(taken), 30)] {
		shards := 1 << (i % 4)
		again := cfg
		again.Shards = shards
		fresh := wire(again, riskHouse(&again))
		names := &noteNames{}
		r := newReplayer(fresh, names)
		if err := r.restore(s); err != nil || names.chunks != 2 {
			t.Fatalf("snapshot %d after seq %d on %d shards: %v", i, s.meta.Seq, shards, err)
		}
		for _, f := range log.frames[s.meta.Chain.Number:] {
			if err := r.Replay(&f.header, f.body); err != nil {
				t.Fatalf("after snapshot %d: %v", i, err)
			}
		}
		if got := fresh.reached(); got != want || fresh.egress.seq != seq {
			t.Errorf("snapshot %d on %d shards: hash %x after seq %d, want %x after %d", i, shards, got, fresh.egress.seq, want, seq)
		}
	}
	t.Logf("%d snapshots, %d frames", len(taken), len(log.frames))
}

func TestReadOnlyWhileTheDiskIsNearlyFull(t *testing.T) {
	cfg := testConfig(1)
	log := newMemLog()
	cfg.Journal = log
	e := startFake(t, cfg)
	t.Cleanup(func() { close(log.stop); log.finished.Wait() })
	must(t, e, risk.Command{Kind: risk.KindListToken})
	log.isLow.Store(true)
	var r [1]Result
	if err := e.Submit([]risk.Command{deposit(1, 1)}, r[:]); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v, want %v", err, ErrReadOnly)
	}
	if _, err := e.Read(1, func(*risk.Machine) {}); err != nil {
		t.Errorf("reads have to go on: %v", err)
	}
	if !e.Status().ReadOnly {
		t.Error("status does not say so")
	}
	log.isLow.Store(false)
	must(t, e, deposit(1, 1))
}

func TestADivergedReplayStops(t *testing.T) {
	cfg := testConfig(1)
	cfg.hashEvery = 1
	log := newMemLog()
	cfg.Journal = log
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	for range 20 {
		must(t, e, deposit(1, 1))
	}
	e.Close()
	close(log.stop)
	log.finished.Wait()
	r := newReplayer(wire(cfg, fakes(1)), nil)
	for i, f := range log.frames {
		if i == 3 {
			f.body[48]++
		}
		if err := r.Replay(&f.header, f.body); err != nil {
			if i <= 3 || !errors.Is(err, ErrDiverged) {
				t.Errorf("frame %d: %v", i+1, err)
			}
			return
		}
	}
	t.Error("nobody noticed")
}

func TestDamagedIDsAreRefused(t *testing.T) {
	k := keptResult{id: idKey{1, 2, risk.FormUint}, result: Result{Seq: 7, TimeMs: 9, HasAmounts: true, Decimals: 2}}
	whole := appendID(nil, 3, 0, &k)
	load := func(b []byte) error {
		cfg := testConfig(1)
		cfg.Journal = newMemLog()
		return wire(cfg, fakes(1)).restoreIDs([]journal.Chunk{{Payload: b}})
	}
	if err := load(whole); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(whole); n++ {
		if err := load(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(whole))
		}
	}
	if err := load(appendID(nil, 3, 5, &k)); err == nil {
		t.Error("a window with holes was taken")
	}
	if err := load(appendID(nil, 9999, 0, &k)); err == nil {
		t.Error("an unknown client was taken")
	}
}

func TestRememberedResultsComeBackWhole(t *testing.T) {
	for flags := range 8 {
		k := keptResult{id: idKey{1, 2, risk.FormUint}, result: Result{
			Seq: 7, TimeMs: 9, Reason: risk.ReasonTierLimit, Rule: risk.RuleField, Field: 2,
			HasAmounts: flags&1 != 0, UnknownOrder: flags&2 != 0, UnknownLiquidation: flags&4 != 0,
		}}
		r := idReader{b: appendID(nil, 3, 5, &k)}
		if client, place, got := r.entry(); client != 3 || place != 5 || got != k || r.isBad || len(r.b) != 0 {
			t.Errorf("flags %b: %d, %d, %+v, bad %v, want %+v", flags, client, place, got, r.isBad, k)
		}
	}
}
