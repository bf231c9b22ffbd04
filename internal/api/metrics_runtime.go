package api

import (
	"math"
	runtimemetrics "runtime/metrics"
	"time"

	"plimsoll/internal/metrics"
)

// runtimeTable lists what is shown of the Go runtime, under the names that other exporters
// give it.
var runtimeTable = [...]struct {
	name, family string
	kind         metrics.Type
	help         string
}{
	{"/sched/goroutines:goroutines", "go_goroutines", metrics.Gauge, "Goroutines that exist."},
	{"/sched/gomaxprocs:threads", "go_sched_gomaxprocs_threads", metrics.Gauge, "Threads that may run Go code at once."},
	{"/sched/latencies:seconds", "go_sched_latencies_seconds", metrics.HistogramType, "How long goroutines could run and did not."},
	{"/sched/pauses/total/gc:seconds", "go_gc_pauses_seconds", metrics.HistogramType, "Pauses of all goroutines for the collector."},
	{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total", metrics.Counter, "Collections."},
	{"/gc/heap/allocs:bytes", "go_gc_heap_allocs_bytes_total", metrics.Counter, "Bytes allocated."},
	{"/gc/heap/goal:bytes", "go_gc_heap_goal_bytes", metrics.Gauge, "Heap size at which the next collection ends."},
	{"/memory/classes/heap/objects:bytes", "go_memory_classes_heap_objects_bytes", metrics.Gauge, "Heap in use, and not yet swept."},
	{"/memory/classes/total:bytes", "go_memory_classes_total_bytes", metrics.Gauge, "Memory mapped by the runtime."},
	{
		"/cpu/classes/gc/total:cpu-seconds", "go_cpu_classes_gc_total_cpu_seconds_total",
		metrics.Counter, "Processor time of the collector, estimated.",
	},
	{
		"/sync/mutex/wait/total:seconds", "go_sync_mutex_wait_total_seconds_total",
		metrics.Counter, "Time that goroutines waited for mutexes.",
	},
}

// writeRuntime writes what the Go runtime tells of itself.
func writeRuntime(t *metrics.Text) {
	samples := make([]runtimemetrics.Sample, len(runtimeTable))
	for i := range samples {
		samples[i].Name = runtimeTable[i].name
	}
	runtimemetrics.Read(samples)
	for i := range samples {
		row, v := &runtimeTable[i], samples[i].Value
		switch v.Kind() {
		case runtimemetrics.KindUint64:
			t.Family(row.family, row.kind, row.help)
			t.Uint(v.Uint64())
		case runtimemetrics.KindFloat64: // seconds
			t.Family(row.family, row.kind, row.help)
			t.Seconds(nanosOf(v.Float64()))
		case runtimemetrics.KindFloat64Histogram:
			t.Family(row.family, row.kind, row.help)
			sum := snapshotOf(v.Float64Histogram())
			t.Histogram(&sum)
		default: // a runtime that does not know it
		}
	}
}

// snapshotOf puts a histogram of the runtime into ours: each of its buckets at its upper end,
// so that nothing looks shorter than it was. The sum is not known to the runtime either.
func snapshotOf(h *runtimemetrics.Float64Histogram) (s metrics.Snapshot) {
	var into metrics.Histogram
	for i, count := range h.Counts {
		if count == 0 {
			continue
		}
		end := h.Buckets[i+1]
		if math.IsInf(end, 1) {
			end = h.Buckets[i]
		}
		into.Record(nanosOf(end), count)
	}
	into.AddTo(&s)
	return s
}

func nanosOf(seconds float64) int64 { return int64(seconds * float64(time.Second)) }
