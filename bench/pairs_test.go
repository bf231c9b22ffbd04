package bench

import (
	"cmp"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// pairsMin is how many pairs a ratio rests on at least, whatever -benchtime says.
const pairsMin = 10

// pairs runs a loop of ours and a reference loop in turn, in one process, and reports the
// median of the ratios of neighbours: both meet the same busy host, so the ratio holds where
// nanoseconds do not.
type pairs struct {
	isWall    bool   // several threads work: time is wall time; else it is the process's own
	before    func() // not timed: what one call of ours needs; may be nil
	ours      func()
	after     func() // not timed: what takes back one call of ours; may be nil
	refBefore func() // as before, for reference
	reference func()
	items     int // what one call of ours works through
	refItems  int // the same for reference; 0: as items

	ratios, oursNs, refNs []float64
	cpuRatios             []float64 // of the process's time, whatever clock is
}

// run measures pairs for -benchtime, at least pairsMin, and reports:
//
//	ns/op      ours for one item, median
//	best-ns    ours for one item, best twentieth: what the machine can do in a quiet moment;
//	           the very best may be a slip of the guest's clock, which is corrected for stolen time
//	ref-ns     reference for one item, median
//	x-ref      median of the ratios ours / reference of one item
//	cpu-x-ref  the same ratio of processor time, where x-ref is of wall time: on all cores of a
//	           quiet machine they are the same, on a busy one this is the one to read
//	allocs/op  ours for one item
func (p *pairs) run(b *testing.B) {
	b.Helper()
	if p.refItems == 0 {
		p.refItems = p.items
	}
	p.timeOurs() // warm up
	p.timeReference()
	for b.Loop() {
		p.pair()
	}
	for len(p.ratios) < pairsMin {
		p.pair()
	}
	allocs, bytes := p.memory()
	b.ReportMetric(median(p.oursNs), "ns/op")
	b.ReportMetric(quantile(p.oursNs, 0.05), "best-ns")
	b.ReportMetric(median(p.refNs), "ref-ns")
	b.ReportMetric(median(p.ratios), "x-ref")
	if p.isWall {
		b.ReportMetric(median(p.cpuRatios), "cpu-x-ref")
	}
	b.ReportMetric(allocs, "allocs/op")
	b.ReportMetric(bytes, "B/op")
}

// rate reports the ratio the other way round, for goals that say "so many times as fast".
func (p *pairs) rate(b *testing.B) {
	b.Helper()
	b.ReportMetric(1/median(p.ratios), "x-rate")
}

// pair takes one sample of each loop; the first to run changes from pair to pair.
func (p *pairs) pair() {
	var ours, ref sample
	if len(p.ratios)%2 == 0 {
		ours, ref = p.timeOurs(), p.timeReference()
	} else {
		ref = p.timeReference()
		ours = p.timeOurs()
	}
	o, r := ours.wall, ref.wall
	if !p.isWall {
		o, r = ours.cpu, ref.cpu
	}
	p.oursNs, p.refNs = append(p.oursNs, o), append(p.refNs, r)
	p.ratios, p.cpuRatios = append(p.ratios, o/r), append(p.cpuRatios, ours.cpu/ref.cpu)
}

// sample is what one call of a loop took for one item, in nanoseconds.
type sample struct{ wall, cpu float64 }

func (p *pairs) timeOurs() sample {
	if p.before != nil {
		p.before()
	}
	s := timed(p.ours, p.items)
	if p.after != nil {
		p.after()
	}
	return s
}

func (p *pairs) timeReference() sample {
	if p.refBefore != nil {
		p.refBefore()
	}
	return timed(p.reference, p.refItems)
}

func timed(loop func(), items int) sample {
	start, startCPU := time.Now(), cpuTime()
	loop()
	cpu, wall := cpuTime()-startCPU, time.Since(start)
	return sample{wall: float64(wall) / float64(items), cpu: float64(cpu) / float64(items)}
}

// memory returns what one call of ours allocates for one item.
func (p *pairs) memory() (allocs, bytes float64) {
	if p.before != nil {
		p.before()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.ours()
	runtime.ReadMemStats(&after)
	if p.after != nil {
		p.after()
	}
	// Whole items only, as go test reports them: the runtime itself allocates now and then.
	return float64((after.Mallocs - before.Mallocs) / uint64(p.items)),
		float64((after.TotalAlloc - before.TotalAlloc) / uint64(p.items))
}

func median(samples []float64) float64 { return quantile(samples, 0.5) }

// quantile returns the sample below which so great a part of all samples lies.
func quantile[T cmp.Ordered](samples []T, part float64) T {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[int(part*float64(len(sorted)))]
}

// cpuTime is what the process has used of its cores, collector included: another process on
// the core does not enter.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sink keeps the compiler from dropping a loop whose result nobody reads.
var sink uint64
