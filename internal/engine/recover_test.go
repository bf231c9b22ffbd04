package engine

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// journalOptions keeps a test's log small and quiet.
func journalOptions(tb testing.TB) journal.Options {
	tb.Helper()
	o := journal.DefaultOptions(filepath.Join(tb.TempDir(), "data"))
	o.FreeLowBytes = 1
	o.Fatal = func(code int, err error) { tb.Errorf("fatal %d: %v", code, err) }
	o.Log = slog.New(slog.DiscardHandler)
	return o
}

// venue lists a market and opens accounts of real machines.
func venue(accounts uint32) []risk.Command {
	records := realHistory(1)[0]
	for slot := range accounts {
		c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(risk.ModeStandard)}
		c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
		c.SetName([]byte{'a', byte('a' + slot%26), byte('a' + slot/26)})
		records = append(records, c)
	}
	return records
}

func TestRecoverOverTheRealJournal(t *testing.T) {
	o := journalOptions(t)
	h := realHistory(7)
	cfg := testConfig(2)
	cfg.FrameMax, cfg.AccountsMax, cfg.ClientsMax = 8, genSlots, 4
	repeat := h[len(h)-1][:1]
	repeat[0] = withID(deposit(1, 5), 1, 424_242)
	var want fixedpoint.Hash128
	var first [1]Result
	for round, shards := range []int{2, 1, 4, 8} {
		cfg.Shards = shards
		e, found, err := Recover(cfg, o, nil)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if got := e.reached(); round > 0 && got != want {
			t.Fatalf("round %d: hash %x, want %x; %+v", round, got, want, found)
		}
		e.Start()
		if round == 0 {
			for _, batch := range h[:len(h)-1] {
				if err := e.Submit(batch, make([]Result, len(batch))); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Submit(repeat, first[:]); err != nil {
				t.Fatal(err)
			}
		}
		var again [1]Result
		if err := e.Submit(repeat, again[:]); err != nil || !again[0].IsDuplicate {
			t.Errorf("round %d: repeat: %+v, %v", round, again[0], err)
		}
		if again[0].IsDuplicate = false; again[0] != first[0] {
			t.Errorf("round %d: repeat answered %+v, want %+v", round, again[0], first[0])
		}
		if round < 2 {
			info, err := e.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if s := e.Status(); s.LastSnapshot == nil || s.LastSnapshot.Seq != info.Seq || info.Seq != s.Durable {
				t.Errorf("round %d: snapshot %+v, status %+v", round, info, s)
			}
		}
		must(t, e, deposit(uint32(round), 1))
		if want, _, err = e.StateHash(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Recover(cfg, o, nil); err == nil {
			t.Error("two engines in one directory")
		}
		e.Close()
		if err := e.Fault(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %+v", round, found)
	}
}

func TestASnapshotOfNothingIsRefused(t *testing.T) {
	if _, err := startFake(t, testConfig(1)).Snapshot(); !errors.Is(err, ErrNoJournal) {
		t.Errorf("got %v, want %v", err, ErrNoJournal)
	}
}
