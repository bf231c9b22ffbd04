package bench

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// BenchmarkMemory builds a venue of a million accounts, and of ten with PLIMSOLL_BENCH_LARGE
// set, as the daemon holds it, every account with its band, and reports what the process grew
// by, in bytes for each account: the api's names (addresses of 42 bytes), then the engine with
// its rings, history and machine. Resident memory is what the kernel says, after the collector
// has given back what it can; the caller's scratch is not in it.
//
//	B/account         all of it: the goal is 500
//	names-B/account   the directory alone
//	heap-B/account    live heap, as the collector counts it
func BenchmarkMemory(b *testing.B) {
	if testing.Short() {
		b.Skip("builds a million accounts")
	}
	shapes := []shape{{accounts: million, mode: risk.ModeUnified, isShuffled: true}}
	for _, accounts := range tickAccounts() {
		for _, mode := range eachMode() {
			shapes = append(shapes, shape{accounts: accounts, mode: mode})
		}
	}
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			if os.Getenv(aloneEnv) != "" {
				memoryOf(b, s)
				return
			}
			measureAlone(b)
		})
	}
}

// aloneEnv tells a child that it is to measure: what benchmarks before it leave behind, and
// when the collector finds it, must not show.
const aloneEnv = "PLIMSOLL_BENCH_ALONE"

// measureAlone runs this benchmark in a child and reports what the child did.
func measureAlone(b *testing.B) {
	b.Helper()
	pattern := "^" + strings.ReplaceAll(b.Name(), "/", "$/^") + "$"
	child := exec.Command(os.Args[0], "-test.run=^$", "-test.benchtime=1x", "-test.bench="+pattern)
	child.Env = append(os.Environ(), aloneEnv+"=1")
	out, err := child.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() { // nothing more: memory has no time
	}
	b.ReportMetric(0, "ns/op")
	fields := strings.Fields(string(out))
	for i, unit := range fields {
		if !strings.HasSuffix(unit, "/account") {
			continue
		}
		v, err := strconv.ParseFloat(fields[i-1], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, unit)
	}
}

func memoryOf(b *testing.B, s shape) {
	b.Helper()
	w := draw(s)
	start, startHeap := resident(b), liveHeap()
	dir := api.NewDirectory(uint32(s.accounts))
	group := make([]risk.Command, 1)
	for i := range s.accounts {
		group[0] = w.open(i)
		if !dir.Observe(group) {
			b.Fatal("name refused")
		}
	}
	names := resident(b) - start
	e := newEngine(b, w, 1)
	load(b, e, w)
	if _, err := e.ReadAll(func(_ int, m *risk.Machine) { settleBands(m) }); err != nil {
		b.Fatal(err)
	}
	all, heap := resident(b)-start, liveHeap()-startHeap
	for b.Loop() { // once: a check that all of it is there
		sums := sumsOf(b, e)
		w.check(b, &sums, marks(0))
	}
	each := float64(s.accounts)
	b.ReportMetric(float64(all)/each, "B/account")
	b.ReportMetric(float64(names)/each, "names-B/account")
	b.ReportMetric(float64(heap)/each, "heap-B/account")
	if dir.AccountCount() != uint32(s.accounts) {
		b.Fatal("names are missing")
	}
	runtime.KeepAlive(w)
}

// resident returns the bytes of memory that the process has, after giving back what it does
// not need.
func resident(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("resident memory is read from /proc: ", err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func liveHeap() int64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// newEngine returns a started engine that has room for a crowd; it is closed with the
// benchmark.
func newEngine(b *testing.B, w *crowd, shards int) *engine.Engine {
	b.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax = shards, uint32(w.accounts)
	cfg.Now = func() int64 { return startMs }
	e, err := engine.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	e.Start()
	b.Cleanup(e.Close)
	return e
}

// load brings a crowd onto an engine, 256 groups at a time.
func load(b *testing.B, e *engine.Engine, w *crowd) {
	b.Helper()
	const batchMax = 256
	var batch []risk.Command
	groups := 0
	results := make([]engine.Result, batchMax)
	send := func() {
		if groups == 0 {
			return
		}
		submit(b, e, batch, results[:groups])
		batch, groups = batch[:0], 0
	}
	w.settle(func(group []risk.Command) {
		stamp(group, 0)
		batch = append(batch, group...)
		if groups++; groups == batchMax {
			send()
		}
	})
	send()
}

// submit has an engine apply groups, all of which must be accepted.
func submit(b *testing.B, e *engine.Engine, records []risk.Command, results []engine.Result) {
	b.Helper()
	if err := e.Submit(records, results); err != nil {
		b.Fatal(err)
	}
	for i := range results {
		if results[i].Reason != risk.ReasonNone {
			b.Fatalf("group %d of kind %d refused: %v", i, records[0].Kind, results[i].Reason)
		}
	}
}

// sumsOf passes over all shards.
func sumsOf(b *testing.B, e *engine.Engine) risk.Sums {
	b.Helper()
	var shares [8]risk.Sums
	if _, err := e.ReadAll(func(shard int, m *risk.Machine) { m.ReadSums(&shares[shard]) }); err != nil {
		b.Fatal(err)
	}
	var sums risk.Sums
	for i := range shares {
		sums.Add(&shares[i])
	}
	return sums
}
