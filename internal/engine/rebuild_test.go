package engine

import (
	"testing"

	"plimsoll/risk"
)

// noteNames counts what it is told.
type noteNames struct{ seen, chunks int }

func (n *noteNames) Observe([]risk.Command) bool { n.seen++; return true }
func (n *noteNames) AppendSnapshot(dst []byte, from int) ([]byte, int) {
	if from == 2 {
		return dst, -1 // as a directory whose last piece was full
	}
	return append(dst, byte(from)), from + 1
}
func (n *noteNames) RestoreSnapshot([]byte) error { n.chunks++; return nil }

func TestRebuildStopsInsideAFrame(t *testing.T) {
	cfg := testConfig(1)
	log := newMemLog()
	cfg.Journal, cfg.AccountsMax = log, 64
	e := wire(cfg, []machine{risk.New(risk.Config{Shards: 1, AccountsMax: 64})})
	e.Start()
	records := venue(20)
	if err := e.Submit(records, make([]Result, len(records))); err != nil {
		t.Fatal(err)
	}
	refused := deposit(63, 1)
	must(t, e, refused)
	e.Close()
	close(log.stop)
	log.finished.Wait()
	names := &noteNames{}
	b, err := NewRebuild(cfg, names)
	if err != nil {
		t.Fatal(err)
	}
	last := log.frames[0].header.LastSeq
	if err := b.Replay(&log.frames[0].header, log.frames[0].body, last-3); err != nil {
		t.Fatal(err)
	}
	if b.Seq() != last-3 || names.seen != int(last-3) {
		t.Errorf("stands after %d with %d groups seen, want %d", b.Seq(), names.seen, last-3)
	}
	whole, err := NewRebuild(cfg, &noteNames{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range log.frames {
		if err := whole.Replay(&f.header, f.body, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := whole.StateHash(), e.reached(); got != want || whole.Seq() != e.egress.seq {
		t.Errorf("hash %x after %d, want %x after %d", got, whole.Seq(), want, e.egress.seq)
	}
	if n := whole.r.names.(*noteNames).seen; n != int(whole.Seq())-1 {
		t.Errorf("%d groups were observed, want all but the refused one of %d", n, whole.Seq())
	}
}
