package engine

import "sync/atomic"

// Counter numbers one count of the engine. Numbers are never reused.
type Counter uint8

// The counters; counterTable tells what each counts.
const (
	CounterSequenced Counter = iota
	CounterClocks
	CounterFrames
	CounterAnswered
	CounterRefused
	CounterRepeats
	CounterReads
	CounterEvents
	CounterBusy
	CounterHelped
	CounterHandedOver
	CounterRechecks
	CounterConflatedTicks
	CounterConflatedPrices
	counterCount
)

// CounterInfo describes a counter.
type CounterInfo struct {
	Name  string // as in /metrics, without the prefix
	Unit  string
	About string
}

func counterTable() [counterCount]CounterInfo {
	return [counterCount]CounterInfo{
		CounterSequenced:       {"sequenced_total", "items", "Groups, repeats and reads that the sequencer took from ingress."},
		CounterClocks:          {"clocks_total", "commands", "Clock commands that the sequencer put in because time had passed."},
		CounterFrames:          {"frames_total", "frames", "Frames handed to the journal."},
		CounterAnswered:        {"answered_total", "commands", "Commands answered, accepted or refused."},
		CounterRefused:         {"refused_total", "commands", "Commands refused by the rules."},
		CounterRepeats:         {"repeats_total", "commands", "Repeats of an id, answered with the first result."},
		CounterReads:           {"reads_total", "reads", "Reads served at their place in the order."},
		CounterEvents:          {"events_total", "events", "Public events published."},
		CounterBusy:            {"busy_total", "requests", "Requests turned away because ingress or the ticket table was full."},
		CounterHelped:          {"helped_total", "requests", "Requests whose caller ran the stages itself."},
		CounterHandedOver:      {"handed_over_total", "requests", "Requests whose caller left work to the pump goroutine."},
		CounterRechecks:        {"rechecks_total", "commands", "Rechecks of accounts that the audit found wrong: must stay 0."},
		CounterConflatedTicks:  {"conflated_ticks_total", "ticks", "Ticks merged into the one before them, because both waited."},
		CounterConflatedPrices: {"conflated_prices_total", "prices", "Prices in merged ticks that a newer one of the name replaced."},
	}
}

// Info returns what a counter counts.
func (c Counter) Info() CounterInfo { return counterTable()[c] }

// Counters returns all counters in order of their numbers.
func Counters() []Counter {
	all := make([]Counter, counterCount)
	for i := range all {
		all[i] = Counter(i)
	}
	return all
}

// counters holds the counts; those of one writer share a line.
type counters [5 * cacheLine / 8]atomic.Uint64

// counterPlaceTable says where in counters a count is: a line for the sequencer, the journaler,
// egress, callers that are turned away and callers that help.
var counterPlaceTable = [counterCount]uint8{
	CounterSequenced: 0, CounterClocks: 1, CounterConflatedTicks: 2, CounterConflatedPrices: 3,
	CounterFrames:   8,
	CounterAnswered: 16, CounterRefused: 17, CounterRepeats: 18, CounterReads: 19, CounterEvents: 20,
	CounterBusy: 24, CounterRechecks: 25,
	CounterHelped: 32, CounterHandedOver: 33,
}

func (c *counters) at(n Counter) *atomic.Uint64 { return &c[counterPlaceTable[n]] }

func (c *counters) add(n Counter, by uint64) { c.at(n).Add(by) }
