package engine

import (
	"testing"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// TestReplayMakesNoBandsForNothing has a replay leave accounts without a band that no tick of
// it looks at, and the engine give them theirs as soon as it runs.
func TestReplayMakesNoBandsForNothing(t *testing.T) {
	const accounts = 300
	cfg := benchConfig(1)
	cfg.Journal = newMemLog()
	m := risk.New(risk.Config{Shards: 1, AccountsMax: accounts})
	r := newReplayer(wire(cfg, []machine{m}), nil)
	records := venue(accounts)
	var body []byte
	seq := uint64(0)
	for i := range records {
		records[i].Seq, records[i].TimeMs = seq+1, 1_700_000_000_000
		if records[i].GroupLeft == 0 {
			seq++
		}
		body = risk.AppendCommand(body, &records[i])
	}
	h := journal.Header{Number: 1, FirstSeq: 1, LastSeq: seq, Count: uint32(len(records)), RecordSize: risk.CommandSize}
	if err := r.Replay(&h, body); err != nil {
		t.Fatal(err)
	}
	if awake := m.BandCounts().Awake; awake < accounts || m.HasBandWork() {
		t.Errorf("%d accounts of %d are without a band after a replay, work left: %v", awake, accounts, m.HasBandWork())
	}
	r.e.auditor.beat()
	for range 10 * accounts {
		r.e.pollAll()
	}
	if awake := m.BandCounts().Awake; awake != 0 {
		t.Errorf("%d accounts are without a band once the engine runs", awake)
	}
}
