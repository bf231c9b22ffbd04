package bench

import (
	"context"
	"strconv"
	"strings"
)

// JournalTimes is how long the daemon's journal took from a frame's append until it was
// durable, by the buckets of its /metrics: upper bounds, in nanoseconds.
type JournalTimes struct {
	Frames uint64 `json:"frames"`
	P50    int64  `json:"p50"`
	P99    int64  `json:"p99"`
}

// journalBucket is one bucket of a histogram in /metrics.
type journalBucket struct {
	upTo  float64 // seconds
	count uint64  // up to there
}

// journal reads the journal's histogram; nil when the daemon does not tell, or keeps nothing.
func (r *loadRun) journal(ctx context.Context) []journalBucket {
	text, err := r.venue.text(ctx, "/metrics")
	if err != nil {
		return nil
	}
	return journalBuckets(string(text))
}

func journalBuckets(text string) (buckets []journalBucket) {
	const head = `plimsoll_journal_frame_duration_seconds_bucket{le="`
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, head)
		if !ok {
			continue
		}
		bound, count, _ := strings.Cut(rest, `"} `)
		upTo, err := strconv.ParseFloat(bound, 64) // "+Inf" too
		n, countErr := strconv.ParseUint(strings.TrimSpace(count), 10, 64)
		if err == nil && countErr == nil {
			buckets = append(buckets, journalBucket{upTo, n})
		}
	}
	return buckets
}

// addJournal adds what the journal took between two readings.
func (r *Report) addJournal(before, after []journalBucket) {
	if len(after) == 0 || len(after) != len(before) {
		return
	}
	last := len(after) - 1
	t := JournalTimes{Frames: after[last].count - before[last].count}
	if t.Frames == 0 {
		return
	}
	quantile := func(part float64) int64 {
		for i := range after {
			if float64(after[i].count-before[i].count) >= part*float64(t.Frames) {
				return int64(after[min(i, last-1)].upTo * 1e9) // the last bucket has no bound
			}
		}
		return 0
	}
	t.P50, t.P99 = quantile(0.5), quantile(0.99)
	r.Journal = &t
}
