package engine

import (
	"testing"
	"time"

	"plimsoll/internal/journal"
	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

// instantJournal has everything durable at once.
type instantJournal struct{ number, durable uint64 }

func (j *instantJournal) Start(func()) {}

func (j *instantJournal) Append(h *journal.Header, _ []byte) error {
	j.number++
	h.Number, j.durable = j.number, h.LastSeq
	return nil
}

func (j *instantJournal) Durable() (uint64, error) { return j.durable, nil }

func latencyOf(e *Engine, stage Stage) *metrics.Snapshot {
	s := new(metrics.Snapshot)
	e.AddLatency(stage, s)
	return s
}

// TestTracesCoverEveryRecord wants the counts of every stage to come to what was submitted,
// whatever the batches are, but for what tickets owe.
func TestTracesCoverEveryRecord(t *testing.T) {
	cfg := testConfig(2)
	cfg.Journal, cfg.Tickets = &instantJournal{}, 4
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	records := uint64(1)
	for _, batch := range []int{1, 3, 20, 200} {
		commands, results := make([]risk.Command, batch), make([]Result, batch)
		for i := range commands {
			commands[i] = deposit(uint32(i), 1)
		}
		for range 300 {
			if err := e.Submit(commands, results); err != nil {
				t.Fatal(err)
			}
			records += uint64(batch)
		}
	}
	owed := uint64(cfg.Tickets * traceEvery)
	for _, stage := range []Stage{StageRingWait, StageJournal, StageGate, StageWake, StagePipeline} {
		if got := latencyOf(e, stage).Count; got > records || got+owed < records {
			t.Errorf("%s counts %d records, want up to %d less than %d", stage.Info().Name, got, owed, records)
		}
	}
	if got := latencyOf(e, StageApply).Count; got > 2*records || got+2*owed < 2*records {
		t.Errorf("two shards count %d records, want about %d each", got, records)
	}
	if frames := latencyOf(e, StageFrame).Count; frames == 0 || frames != e.Count(CounterFrames) {
		t.Errorf("%d frames measured, %d appended", frames, e.Count(CounterFrames))
	}
	if age := e.JournalAge(); age != 0 {
		t.Errorf("a frame that is durable has waited %d ns", age)
	}
}

// TestTraceIsInOrder follows single commands that the beat of the auditor picks.
func TestTraceIsInOrder(t *testing.T) {
	cfg := testConfig(2)
	cfg.Journal = &instantJournal{}
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	before := e.Elapsed(time.Now())
	e.TraceAll()
	var tr Trace
	var results [1]Result
	if err := e.SubmitTraced([]risk.Command{deposit(1, 1)}, results[:], &tr); err != nil {
		t.Fatal(err)
	}
	at := []int64{before, tr.Entered, tr.Sequenced, tr.Durable, tr.Applied, tr.Released, tr.Resumed, e.Elapsed(time.Now())}
	for i := range at[1:] {
		if at[i] > at[i+1] {
			t.Fatalf("stages are not in order: %v", at)
		}
	}
	if !tr.IsWhole {
		t.Error("after TraceAll a command has no trace")
	}
}

// TestRepeatsHaveNoTrace: a repeat of an id is not applied, so nothing tells when.
func TestRepeatsHaveNoTrace(t *testing.T) {
	e := startFake(t, testConfig(1))
	must(t, e, risk.Command{Kind: risk.KindListToken})
	e.TraceAll()
	for turn := range 2 {
		var tr Trace
		var results [1]Result
		if err := e.SubmitTraced([]risk.Command{withID(deposit(1, 1), 1, 7)}, results[:], &tr); err != nil {
			t.Fatal(err)
		}
		if isRepeat := turn == 1; results[0].IsDuplicate != isRepeat || tr.IsWhole == isRepeat {
			t.Errorf("turn %d: duplicate %v, traced %v", turn, results[0].IsDuplicate, tr.IsWhole)
		}
	}
}

// TestQuietHoursAreTraced sends a command now and then, far fewer than traceEvery.
func TestQuietHoursAreTraced(t *testing.T) {
	e := startFake(t, testConfig(1))
	must(t, e, risk.Command{Kind: risk.KindListToken})
	for range 5 {
		time.Sleep(2 * auditBeat)
		must(t, e, deposit(1, 1))
	}
	if got := latencyOf(e, StagePipeline).Count; got < 3 {
		t.Errorf("%d of 6 commands are counted, want most", got)
	}
}

// TestTraceAllEnds: what it costs is for a second.
func TestTraceAllEnds(t *testing.T) {
	r := newTracer(1)
	r.allBeats.Store(2)
	r.every.Store(1)
	var owed uint32
	if r.picks(&owed, 1) != 1 {
		t.Error("a command is not traced")
	}
	r.beat()
	r.beat()
	r.isWanted.Store(false)
	if r.every.Load() != traceEvery || r.picks(&owed, 1) != 0 || r.picks(&owed, traceEvery) != traceEvery+1 {
		t.Errorf("every %d after the last beat, %d owed", r.every.Load(), owed)
	}
}

// TestStuckJournalAges: a frame that is not durable shows how long it has waited.
func TestStuckJournalAges(t *testing.T) {
	r := newTracer(1)
	e := &Engine{tracer: r}
	j := &journaler{tracer: r}
	for range 2 {
		j.flight = append(j.flight, frameInFlight{appendedNs: j.traceAppended()})
	}
	time.Sleep(2 * time.Millisecond)
	if age := e.JournalAge(); age < int64(2*time.Millisecond) {
		t.Errorf("the oldest frame has waited %d ns, want 2 ms", age)
	}
	j.traceSettled(r.now())
	if got, want := r.frameNs.Load(), j.flight[1].appendedNs; got != want {
		t.Errorf("the oldest frame is of %d, want %d", got, want)
	}
}

func BenchmarkPicks(b *testing.B) {
	r := newTracer(1)
	var owed uint32
	var sum uint64
	for range b.N {
		sum += r.picks(&owed, 1)
	}
	_ = sum
}
