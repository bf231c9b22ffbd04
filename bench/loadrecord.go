package bench

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms hold nanoseconds with three significant digits, up to ten minutes; what took
// longer counts as that.
const (
	histLowest  = 1
	histHighest = int64(10 * time.Minute)
	histDigits  = 3
)

// lateAfter is from when on a request counts as sent late.
const lateAfter = time.Millisecond

func newHistogram() *hdr.Histogram { return hdr.New(histLowest, histHighest, histDigits) }

// recordTime adds a time in nanoseconds.
func recordTime(h *hdr.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, 0), histHighest)) // within the range
}

// outcome is what became of a request.
type outcome uint8

const (
	outcomeOK   outcome = iota
	outcomeBusy         // 429: nothing was applied
	outcomeFault
)

// answer is one request that is over. Times are nanoseconds since the slice began.
type answer struct {
	kind            Kind
	outcome         outcome
	commands        int
	due, sent, done int64
	fault           string // of an outcomeFault
}

// recorder holds what was measured of one target at one load.
type recorder struct {
	mu     sync.Mutex
	kinds  [kindCount]kindRecord
	delay  *hdr.Histogram // from due to sent
	late   int64          // sent more than lateAfter after they were due
	second *hdr.Histogram // latency of those answered in the second under way
	spare  *hdr.Histogram
	counts secondCounts
	series []Second
	faults []string // the first few
	took   time.Duration
	lasted time.Duration // of the schedules
}

// kindRecord is what was measured of one kind of request.
type kindRecord struct {
	latency  *hdr.Histogram // from due to answered, for those that were accepted
	service  *hdr.Histogram // from sent to answered
	commands int64          // accepted
	busy     int64
	errors   int64
	unsent   int64 // due, and never sent; in latency with their age at the end
}

// secondCounts counts what was answered in the second under way.
type secondCounts struct{ answered, commands, busy, errors int64 }

func newRecorder() *recorder {
	return &recorder{delay: newHistogram(), second: newHistogram(), spare: newHistogram()}
}

// record adds an answer.
func (r *recorder) record(a *answer) {
	const faultsMax = 5
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kind(a.kind)
	recordTime(r.delay, a.sent-a.due)
	if a.sent-a.due > int64(lateAfter) {
		r.late++
	}
	switch a.outcome {
	case outcomeBusy:
		k.busy++
		r.counts.busy++
	case outcomeFault:
		k.errors++
		r.counts.errors++
		if len(r.faults) < faultsMax {
			r.faults = append(r.faults, a.kind.String()+": "+a.fault)
		}
	default:
		recordTime(k.latency, a.done-a.due)
		recordTime(k.service, a.done-a.sent)
		recordTime(r.second, a.done-a.due)
		k.commands += int64(a.commands)
		r.counts.answered++
		r.counts.commands += int64(a.commands)
	}
}

// recordUnsent adds a request that was due and never sent: it would have taken longer than
// its age.
func (r *recorder) recordUnsent(kind Kind, age int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kind(kind)
	k.unsent++
	recordTime(k.latency, age)
}

func (r *recorder) kind(kind Kind) *kindRecord {
	k := &r.kinds[kind]
	if k.latency == nil {
		k.latency, k.service = newHistogram(), newHistogram()
	}
	return k
}

// cut ends the second under way, which began at a time of the run and lasted so long.
func (r *recorder) cut(at, long time.Duration) Second {
	r.mu.Lock()
	h, counts := r.second, r.counts
	r.second, r.spare, r.counts = r.spare, h, secondCounts{}
	r.mu.Unlock()
	s := Second{
		At: at.Seconds(), Seconds: long.Seconds(), Answered: counts.answered, Commands: counts.commands,
		Busy: counts.busy, Errors: counts.errors,
		P50: h.ValueAtPercentile(50), P99: h.ValueAtPercentile(99), P999: h.ValueAtPercentile(99.9), Max: h.Max(),
	}
	h.Reset()
	r.mu.Lock()
	r.series = append(r.series, s)
	r.mu.Unlock()
	return s
}
