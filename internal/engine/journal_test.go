package engine

import (
	"errors"
	"sync"
	"testing"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// gateJournal is a disk whose syncs the test lets through one by one.
type gateJournal struct {
	mu       sync.Mutex
	wake     func()
	appended []risk.Command
	durable  uint64
	err      error
}

func (j *gateJournal) Start(wake func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wake = wake
}

func (j *gateJournal) Append(_ *journal.Header, body []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.appended = append(j.appended, decodeBody(body)...)
	return nil
}

func (j *gateJournal) Durable() (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable, j.err
}

func (j *gateJournal) sync(seq uint64) {
	j.mu.Lock()
	j.durable = seq
	j.mu.Unlock()
	j.wake()
}

func (j *gateJournal) breakDown(err error) {
	j.mu.Lock()
	j.err = err
	j.mu.Unlock()
	j.wake()
}

func TestNothingIsAnsweredAfterAJournalFault(t *testing.T) {
	cfg := testConfig(2)
	j := &gateJournal{durable: 2}
	cfg.Journal = j
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	must(t, e, deposit(1, 1))
	broken := errors.New("the disk is gone")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			var r [1]Result
			if err := e.Submit([]risk.Command{deposit(1, 1)}, r[:]); !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
		})
	}
	for e.Status().Sequenced < 6 {
	}
	j.breakDown(broken)
	callers.Wait()
	<-e.Failed()
	if err := e.Fault(); !errors.Is(err, broken) {
		t.Errorf("fault %v, want %v", err, broken)
	}
	var r [1]Result
	if err := e.Submit([]risk.Command{deposit(1, 1)}, r[:]); !errors.Is(err, broken) {
		t.Errorf("later: got %v, want %v", err, broken)
	}
	if got := e.Status(); got.Durable != 2 || got.Applied[0] != 2 || got.NothingIsKept {
		t.Errorf("status %+v, want 2 durable and applied", got)
	}
}

func TestReplayReachesTheSameHash(t *testing.T) {
	cfg := testConfig(3)
	j := &gateJournal{durable: 1 << 60}
	cfg.Journal = j
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	for i := range uint32(100) {
		c := withID(deposit(i%20, 5), 1, uint64(i%70))
		c.TimeMs = 1000 + 700*int64(i)
		must(t, e, c)
	}
	want, seq, err := e.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	cfg = testConfig(2)
	again := wire(cfg, fakes(2))
	if err := again.Replay(j.appended); err != nil {
		t.Fatal(err)
	}
	again.Start()
	defer again.Close()
	if got, at, err := again.StateHash(); err != nil || got != want || at != seq {
		t.Errorf("replayed: %x at %d, want %x at %d: %v", got, at, want, seq, err)
	}
	if r := must(t, again, withID(deposit(1, 5), 1, 69)); !r.IsDuplicate {
		t.Error("an id of before the restart is forgotten")
	}
	if err := again.sequencerGap(); err == nil {
		t.Error("a gap in the journal went unseen")
	}
}

// sequencerGap replays a frame that leaves out a Seq.
func (e *Engine) sequencerGap() error {
	fresh := wire(e.cfg, fakes(e.cfg.Shards))
	return fresh.Replay([]risk.Command{{Kind: risk.KindListToken, Seq: 2, TimeMs: 1}})
}
