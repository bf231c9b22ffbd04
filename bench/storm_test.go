package bench

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"plimsoll/risk"
)

// BenchmarkStorm ticks that many accounts feel, each held against a twin machine that passes
// over all accounts at every tick (DetectSweep).
//
//	move=2bp/assets=192   all marks at once, a random walk of 2 basis points a tick, four fifths
//	                      of the step common to all (correlation 0.64): p50-ns, p99-ns and
//	                      p99.9-ns of the tick's own time, over so many ticks; ns/op is the p50
//	move=5%/assets=1      the most-held asset falls by 5 % in one tick, and recovers in the next;
//	                      ns/op and x-ref are of the fall
//
// The first ticks must tell the same events in the same order as the twin's; at the end of the
// walk every account's health as told must be the twin's, which jumps there in one tick. The
// other figures are those of BenchmarkTick.
func BenchmarkStorm(b *testing.B) {
	for _, mode := range eachMode() {
		s := &heldShape{accounts: tickAccounts()[0], mode: mode, nearPpm: 1_000}
		b.Run(s.String(), func(b *testing.B) {
			v := &storm{w: drawHeld(s)}
			v.m, v.twin = newMachine(b, v.w), newMachineThat(b, v.w, risk.DetectSweep)
			settleBands(v.m)
			runtime.GC()
			b.Run("move=2bp/assets=192", v.walk)
			b.Run("move=5%/assets=1", v.crash)
		})
	}
}

// storm is a machine, and a twin that detects by passing over all accounts.
type storm struct {
	w       *crowd
	m, twin *risk.Machine
}

// both ticks the two machines and holds their events against each other.
func (v *storm) both(b *testing.B, group []risk.Command) {
	b.Helper()
	do(v.m, group)
	do(v.twin, group)
	v.same(b)
}

// same holds what the machine told last against what its twin told last.
func (v *storm) same(b *testing.B) {
	b.Helper()
	got, want := v.m.Events(), v.twin.Events()
	if len(got) != len(want) {
		b.Fatalf("%d events, the twin has %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		g.Seq, w.Seq = 0, 0 // the twin sits some ticks out
		if g != w {
			b.Fatalf("event %d is %+v, the twin's %+v", i, g, w)
		}
	}
}

const (
	walkTicks     = 4_000
	walkTime      = 20 * time.Second
	walkTicksMin  = 100 // whatever the time
	walkCommon    = 1.6 // basis points a tick, of all
	walkOwn       = 1.2 // of each: 2 together
	walkPassEvery = walkTicksMin / pairsMin
	twinTicks     = 20
)

// walk ticks all marks by a random walk.
func (v *storm) walk(b *testing.B) {
	ticksMost, timeMost := walkTicks, walkTime
	if testing.Short() {
		ticksMost, timeMost = 400, time.Second
	}
	prices := marks(0)
	v.both(b, tick(prices))
	health := [2]*told{newTold(v.w.accounts), newTold(v.w.accounts)}
	crossings := 0
	r := tickRow{m: v.m, batch: 1, next: walker(prices)}
	r.done = func() {
		if r.ticks <= twinTicks {
			do(v.twin, tick(prices))
			v.same(b)
			health[1].hear(b, v.twin.Events())
		}
		health[0].hear(b, v.m.Events())
		crossings += changes(v.m.Events())
	}
	began := time.Now()
	for r.ticks < walkTicksMin || r.ticks < ticksMost && time.Since(began) < timeMost {
		took := r.sample()
		r.keep(took)
		if r.ticks%walkPassEvery == 0 && len(r.passNs) < 10*pairsMin {
			pass := r.pass()
			r.passNs, r.ratios = append(r.passNs, pass), append(r.ratios, max(took.cpu, 1)/pass)
		}
	}
	for b.Loop() { // the walk is as long as it is
	}
	do(v.twin, tick(prices))
	health[1].hear(b, v.twin.Events())
	health[0].isSame(b, health[1])
	r.pass()
	v.w.check(b, &r.sums, prices)
	r.report(b)
	b.ReportMetric(quantile(r.tickNs, 0.999), "p99.9-ns")
	b.ReportMetric(float64(r.bandTime)/float64(r.ticks), "band-ns")
	b.ReportMetric(float64(crossings)/float64(r.ticks), "crossings")
	b.ReportMetric(float64(r.ticks), "ticks")
}

// walker returns the ticks of a random walk; prices follow it.
func walker(prices []int64) func(int) []risk.Command {
	rng := rand.New(rand.NewPCG(13, 14))
	exact := make([]float64, len(prices))
	for i, p := range prices {
		exact[i] = float64(p)
	}
	return func(int) []risk.Command {
		common := walkCommon * rng.NormFloat64()
		for i := range exact {
			exact[i] *= 1 + (common+walkOwn*rng.NormFloat64())/basisPoint
			prices[i] = int64(exact[i])
		}
		return tick(prices)
	}
}

// crash has the most-held asset fall by 5 %, and recover.
func (v *storm) crash(b *testing.B) {
	v.both(b, tick(marks(0)))
	settleBands(v.m)
	fall, rise := heldTick(fallen(2*500)), heldTick(fallen(0))
	v.both(b, fall)
	want := changes(v.twin.Events())
	if want == 0 {
		b.Fatal("the fall crosses nobody")
	}
	var sums [2]risk.Sums
	v.m.ReadSums(&sums[0])
	v.twin.ReadSums(&sums[1])
	if sums[0] != sums[1] {
		b.Fatalf("after the fall the sums are %+v, want %+v", sums[0], sums[1])
	}
	settleBands(v.m)
	v.both(b, rise)
	settleBands(v.m)
	r := tickRow{m: v.m, batch: 1, next: func(int) []risk.Command { return fall }}
	r.done = func() {
		if got := changes(v.m.Events()); got != want {
			b.Fatalf("a fall told %d accounts, want %d", got, want)
		}
		r.reband()
		do(v.m, rise)
	}
	r.run(b)
	r.pass()
	v.w.check(b, &r.sums, marks(0))
	b.ReportMetric(float64(want), "crossings")
}

// told is what accounts were told to be, first and last.
type told struct {
	first, last []risk.Health
	isKnown     []bool
}

func newTold(accounts int) *told {
	return &told{first: make([]risk.Health, accounts), last: make([]risk.Health, accounts), isKnown: make([]bool, accounts)}
}

// hear takes in events, which must go on from where the last ones of an account led.
func (t *told) hear(b *testing.B, events []risk.Event) {
	b.Helper()
	for i := range events {
		e := &events[i]
		if e.Kind != risk.EventHealthChanged {
			continue
		}
		if !t.isKnown[e.Account] {
			t.isKnown[e.Account], t.first[e.Account] = true, e.From
		} else if t.last[e.Account] != e.From {
			b.Fatalf("account %d goes from %v to %v, but was told to be %v", e.Account, e.From, e.To, t.last[e.Account])
		}
		t.last[e.Account] = e.To
	}
}

// isSame holds accounts against a twin that has heard fewer ticks, and the same last one: who
// changed and changed back may be known to one of them alone.
func (t *told) isSame(b *testing.B, twin *told) {
	b.Helper()
	for i, known := range t.isKnown {
		want := twin.last[i]
		if !twin.isKnown[i] {
			want = t.first[i]
		}
		if known && t.last[i] != want || !known && twin.isKnown[i] {
			b.Fatalf("account %d was told to be %v (%t), by a pass over all %v", i, t.last[i], known, want)
		}
	}
}
