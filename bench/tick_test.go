package bench

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"plimsoll/risk"
)

// largeEnv, when set, adds ten million accounts: 8 GB, and minutes to build.
const largeEnv = "PLIMSOLL_BENCH_LARGE"

// tickAccounts returns the sizes of the crowds that are ticked.
func tickAccounts() []int {
	switch {
	case testing.Short():
		return []int{10_000}
	case os.Getenv(largeEnv) != "":
		return []int{million, 10 * million}
	default:
		return []int{million}
	}
}

// BenchmarkTick moves the most-held asset by one basis point, down and up again, where that
// crosses nobody, 10, 1,000 and 100,000 accounts: exactly so many are told at every tick.
// Between ticks the machine makes new bands until none is missing, as a shard does that has
// nothing else to do; that is timed by itself. The reference is the exact pass over all
// accounts (Machine.ReadSums), in turn with up to 20 ticks: the first of them finds every
// cache full of something else. Times are of the process's own, but for wall-p99-ns.
//
//	ns/op           one tick, median
//	best-ns, p99-ns best twentieth, and what one in a hundred passes; where nobody crosses, of
//	                means over some hundred ticks
//	wall-p99-ns     the same by the clock on the wall: a busy machine's other processes included
//	ref-ns          one exact pass, median
//	x-ref, x-rate   medians of the ratios of neighbours, tick / pass and pass / tick
//	x-goal          ns/op / (1,000 + 500 a crossing), of the row crossing nobody / 200
//	band-ns         new bands after one tick, mean
//	rebands/s       bands made in that time
//
// The row bands=first is the first band of every account: ns/op is for one.
func BenchmarkTick(b *testing.B) {
	for _, accounts := range tickAccounts() {
		for _, mode := range eachMode() {
			s := &heldShape{accounts: accounts, mode: mode, poised: poisedOf(accounts), nearPpm: 5_000}
			b.Run(s.String(), func(b *testing.B) { ticks(b, s) })
		}
	}
}

func ticks(b *testing.B, s *heldShape) {
	b.Helper()
	w := drawHeld(s)
	m := newMachine(b, w)
	runtime.GC()
	b.Run("bands=first", func(b *testing.B) { firstBands(b, m) })
	settleBands(m)
	b.Run("move=1bp/crossing=0", func(b *testing.B) { swing(b, w, m, 0, 0) })
	for n, k := range s.poised {
		b.Run(fmt.Sprintf("move=1bp/crossing=%d", k), func(b *testing.B) { swing(b, w, m, poisedBp(n), k) })
	}
}

// settleBands makes bands until none is missing.
func settleBands(m *risk.Machine) {
	for m.BandStep(1024) {
	}
}

func firstBands(b *testing.B, m *risk.Machine) {
	b.Helper()
	before := m.BandStats().Rebanded
	start := time.Now()
	settleBands(m)
	took := time.Since(start)
	for b.Loop() { // it is done once
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(0, "allocs/op")
	if made := m.BandStats().Rebanded - before; made > 0 {
		b.ReportMetric(float64(took)/float64(made), "ns/op")
		b.ReportMetric(float64(made), "bands")
	}
}

// swing measures ticks between so many basis points below the start and one more.
func swing(b *testing.B, w *crowd, m *risk.Machine, bp int64, crossing int) {
	b.Helper()
	down, up := heldTick(fallen(2*bp+2)), heldTick(fallen(2*bp))
	do(m, up)
	settleBands(m)
	told := -1
	r := tickRow{m: m, batch: 1, next: func(n int) []risk.Command {
		if told >= 0 && told != crossing {
			b.Fatalf("a tick told %d accounts, want %d", told, crossing)
		}
		if n%2 == 0 {
			return down
		}
		return up
	}}
	r.done = func() { told = changes(m.Events()) }
	if crossing == 0 {
		r.batch = r.perSample(200 * time.Microsecond)
	}
	r.run(b)
	goal := 1000 + 500*float64(crossing)
	if crossing == 0 {
		goal = 200
	}
	b.ReportMetric(median(r.tickNs)/goal, "x-goal")
	prices := marks(0)
	prices[mostHeld] = fallen(2 * bp)
	if r.ticks%2 == 1 {
		prices[mostHeld] = fallen(2*bp + 2)
	}
	var sums risk.Sums
	m.ReadSums(&sums)
	w.check(b, &sums, prices)
}

// heldTick returns a tick of the most-held asset alone.
func heldTick(mark int64) []risk.Command {
	c := risk.Command{Kind: risk.KindPrices}
	c.SetPrice(0, risk.PriceMark, mostHeld, mark, 6-marketAt(mostHeld).sz)
	return []risk.Command{c}
}

// do applies a group at the machine's next place and returns how long that took.
func do(m *risk.Machine, group []risk.Command) sample {
	stamp(group, m.Seq()+1)
	return timed(func() { m.Do(group) }, 1)
}

// changes counts the accounts whose health an event tells.
func changes(events []risk.Event) (count int) {
	for i := range events {
		if events[i].Kind == risk.EventHealthChanged {
			count++
		}
	}
	return count
}

// tickRow takes samples of ticks in turn with exact passes.
type tickRow struct {
	m     *risk.Machine
	batch int                        // ticks of one sample; of several the mean is taken
	next  func(n int) []risk.Command // not timed: tick n
	done  func()                     // not timed: looks at what a tick told; may be nil
	ticks int                        // applied so far
	sums  risk.Sums                  // of the last pass

	tickNs, wallNs, passNs, ratios []float64
	bandTime                       time.Duration
	bands                          uint64
}

// run takes pairs of a sample and a pass for -benchtime, at least pairsMin, and reports them.
func (r *tickRow) run(b *testing.B) {
	b.Helper()
	r.sample()
	r.pass()
	r.tickNs, r.wallNs, r.passNs, r.ratios, r.bandTime, r.bands = nil, nil, nil, nil, 0, 0
	first := r.ticks
	for b.Loop() {
		r.pair()
	}
	for len(r.ratios) < pairsMin {
		r.pair()
	}
	if r.m.Events()[0].Reason != risk.ReasonNone {
		b.Fatalf("tick refused: %v", r.m.Events()[0].Reason)
	}
	b.ReportMetric(float64(r.bandTime)/float64(r.ticks-first), "band-ns")
	if r.bandTime > 0 && r.bands > 0 {
		b.ReportMetric(float64(r.bands)/r.bandTime.Seconds(), "rebands/s")
	}
	r.report(b)
	allocs := testing.AllocsPerRun(6, func() { r.sample() })
	b.ReportMetric(float64(int(allocs)/r.batch), "allocs/op")
	if allocs == 0 {
		b.ReportMetric(0, "B/op") // what go test counted is what keeps the samples
	}
}

func (r *tickRow) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(median(r.tickNs), "ns/op")
	b.ReportMetric(quantile(r.tickNs, 0.05), "best-ns")
	b.ReportMetric(quantile(r.tickNs, 0.99), "p99-ns")
	b.ReportMetric(quantile(r.wallNs, 0.99), "wall-p99-ns")
	b.ReportMetric(median(r.passNs), "ref-ns")
	b.ReportMetric(median(r.ratios), "x-ref")
	b.ReportMetric(1/median(r.ratios), "x-rate")
}

// pair takes an exact pass and then samples, twenty or as many as take as long.
func (r *tickRow) pair() {
	const samplesMost = 20
	pass := r.pass()
	first := len(r.tickNs)
	for began := time.Now(); len(r.tickNs)-first < samplesMost; {
		r.keep(r.sample())
		if float64(time.Since(began)) > 2*pass {
			break
		}
	}
	r.passNs, r.ratios = append(r.passNs, pass), append(r.ratios, median(r.tickNs[first:])/pass)
}

func (r *tickRow) keep(s sample) {
	r.tickNs, r.wallNs = append(r.tickNs, max(s.cpu, 1)), append(r.wallNs, s.wall) // its clock counts microseconds
}

// sample returns what one tick took.
func (r *tickRow) sample() sample {
	var took sample
	if r.batch == 1 {
		took = do(r.m, r.next(r.ticks))
	} else {
		took = timed(func() {
			for n := range r.batch {
				group := r.next(r.ticks + n)
				stamp(group, r.m.Seq()+1)
				r.m.Do(group)
			}
		}, r.batch)
	}
	r.ticks += r.batch
	if r.done != nil {
		r.done()
	}
	r.reband()
	return took
}

// reband does what a shard does between groups.
func (r *tickRow) reband() {
	before := r.m.BandStats().Rebanded
	start := time.Now()
	settleBands(r.m)
	r.bandTime += time.Since(start)
	r.bands += r.m.BandStats().Rebanded - before
}

func (r *tickRow) pass() float64 {
	r.sums = risk.Sums{}
	return timed(func() { r.m.ReadSums(&r.sums) }, 1).cpu
}

// perSample returns how many ticks, an even number, fill about so long a time: a clock costs
// as much as a tick that crosses nobody.
func (r *tickRow) perSample(long time.Duration) int {
	const most = 2_000
	r.sample()
	took := max(r.sample().wall, 1)
	return 2 * max(1, min(most, int(float64(long)/took))/2)
}
