package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// BenchmarkPipeline is engine.Submit of orders, from the call to the answer: ingress,
// sequencer, journaler (which keeps nothing), shards, egress. So many callers send batches of
// so many orders each; the orders are cancelled between the samples. The reference is
// Machine.Apply of the same orders on one thread, so x-ref is what order, hand-over and
// answer add, or what shards win back. Wall time.
func BenchmarkPipeline(b *testing.B) {
	for _, shards := range []int{1, 2} {
		for _, load := range []struct{ callers, batch int }{{1, 1}, {64, 1}, {1, 256}, {16, 256}} {
			b.Run(fmt.Sprintf("shards=%d/callers=%d/batch=%d", shards, load.callers, load.batch), func(b *testing.B) {
				pipeline(b, shards, load.callers, load.batch)
			})
		}
	}
}

func pipeline(b *testing.B, shards, callers, batchSize int) {
	b.Helper()
	w := draw(shape{accounts: 10_240, mode: risk.ModePortfolio})
	e := newEngine(b, w, shards)
	load(b, e, w)
	m := newMachine(b, w)
	batch := newOrderBatch(w)
	batch.next()
	orders, cancels := batch.orders[:8192], batch.cancels[:8192]
	share := len(orders) / callers
	p := pairs{isWall: true, items: len(orders)}
	p.ours = func() {
		var group sync.WaitGroup
		for c := range callers {
			group.Go(func() { submitAll(b, e, orders[c*share:][:share], batchSize) })
		}
		group.Wait()
	}
	p.after = func() { submitAll(b, e, cancels, 256) }
	alone := func(commands []risk.Command) {
		for i := range commands {
			commands[i].Seq = m.Seq() + 1
			m.Apply(commands[i : i+1])
			if m.Events()[0].Reason != risk.ReasonNone {
				b.Error("refused: ", m.Events()[0].Reason)
			}
		}
	}
	p.refBefore = func() { alone(cancels) }
	p.reference = func() { alone(orders) }
	alone(orders)
	runtime.GC()
	p.run(b)
	alone(cancels)
	b.ReportMetric(1e9/median(p.oursNs), "commands/s")
	if hash, _, err := e.StateHash(); err != nil || hash != m.StateHash() {
		b.Fatal("engine and machine differ: ", err)
	}
}

// submitAll submits commands a batch at a time.
func submitAll(b *testing.B, e *engine.Engine, commands []risk.Command, batchSize int) {
	b.Helper()
	results := make([]engine.Result, batchSize)
	for at := 0; at < len(commands); at += batchSize {
		records := commands[at:min(at+batchSize, len(commands))]
		if err := e.Submit(records, results[:len(records)]); err != nil {
			b.Error(err)
		}
		for i := range records {
			if results[i].Reason != risk.ReasonNone {
				b.Error("refused: ", results[i].Reason)
			}
		}
	}
}

// BenchmarkReplay is recovery: Engine.Replay of a history of 200,000 groups, beside a machine
// that applies the same groups without a pipeline. Both end in the same state.
func BenchmarkReplay(b *testing.B) {
	w := draw(shape{accounts: 10_000, mode: risk.ModePortfolio})
	h := newHistory(w, 200_000)
	for _, shards := range []int{1, 2} {
		b.Run(fmt.Sprintf("shards=%d/groups=%d", shards, h.groups), func(b *testing.B) { replay(b, w, h, shards) })
	}
}

func replay(b *testing.B, w *crowd, h *history, shards int) {
	b.Helper()
	var e *engine.Engine
	var m *risk.Machine
	p := pairs{isWall: true, items: h.groups}
	p.before = func() {
		cfg := engine.DefaultConfig()
		cfg.Shards, cfg.AccountsMax, cfg.Clock = shards, uint32(w.accounts), engine.ClockCommands
		var err error
		if e, err = engine.New(cfg); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
	}
	p.ours = func() {
		for _, frame := range h.frames {
			if err := e.Replay(frame); err != nil {
				b.Fatal(err)
			}
		}
	}
	p.refBefore = func() {
		m = risk.New(risk.Config{Shards: 1, AccountsMax: uint32(w.accounts)})
		runtime.GC()
	}
	p.reference = func() {
		for _, frame := range h.frames {
			for at := 0; at < len(frame); {
				size := int(frame[at].GroupLeft) + 1
				m.Do(frame[at : at+size])
				at += size
			}
		}
	}
	p.run(b)
	b.ReportMetric(1e9/median(p.oursNs), "groups/s")
	e.Start()
	defer e.Close()
	var hash fixedpoint.Hash128
	var err error
	if hash, _, err = e.StateHash(); err != nil || hash != m.StateHash() {
		b.Fatal("replay and machine differ: ", err)
	}
}

// history is a run of stamped groups in frames, as a journal keeps them.
type history struct {
	frames [][]risk.Command
	groups int
}

const frameRecords = 1024

// add appends a group, stamped with its place.
func (h *history) add(group []risk.Command) {
	h.groups++
	stamp(group, uint64(h.groups))
	last := len(h.frames) - 1
	if last < 0 || len(h.frames[last])+len(group) > frameRecords {
		h.frames = append(h.frames, make([]risk.Command, 0, frameRecords))
		last++
	}
	h.frames[last] = append(h.frames[last], group...)
}

// newHistory settles a crowd and then mixes: in 1,000 groups 450 orders, 400 cancels, 130 fills
// and 20 deposits, and now and then a tick.
func newHistory(w *crowd, groups int) *history {
	rng := rand.New(rand.NewPCG(9, 10))
	h := &history{}
	w.settle(h.add)
	var resting []risk.Command
	for h.groups < groups {
		account := rng.IntN(w.accounts)
		switch n := rng.IntN(1000); {
		case h.groups%10_000 == 0:
			h.add(tick(marks(int64(rng.IntN(3)))))
		case n < 450 || n < 850 && len(resting) == 0:
			c := w.order(account, rng.IntN(perpCount), uint64(h.groups))
			resting = append(resting, c)
			h.add([]risk.Command{c})
		case n < 850:
			at := rng.IntN(len(resting))
			c := resting[at]
			resting[at] = resting[len(resting)-1]
			resting = resting[:len(resting)-1]
			c.Kind, c.Flags, c.Num, c.Dec = risk.KindCancel, risk.FlagOrderID, [4]int64{}, [4]uint8{}
			h.add([]risk.Command{c})
		case n < 980:
			h.add([]risk.Command{w.fill(account, rng.IntN(positions))})
		default:
			h.add([]risk.Command{w.deposit(account)})
		}
	}
	return h
}
