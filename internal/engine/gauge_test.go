package engine

import (
	"slices"
	"testing"
	"time"

	"plimsoll/risk"
)

func TestGaugeIsTakenAtStartAndAtTenTimesTheAccounts(t *testing.T) {
	cfg := testConfig(2)
	cfg.AccountsMax = 1 << 14
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	next := uint32(0)
	open := func(accounts uint32) (batch []risk.Command) {
		for range accounts {
			c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(risk.ModeStandard)}
			c.Ref = [4]uint32{next, risk.NoAccount, 0, 0}
			c.SetName([]byte{'a', byte('a' + next%26), byte('a' + next/26%26), byte('a' + next/26/26)})
			batch = append(batch, c)
			next++
		}
		return batch
	}
	frame := slices.Concat(realHistory(1)[0], open(2*gaugeLeast))
	seq := uint64(0)
	for i := range frame {
		if i == 0 || frame[i-1].GroupLeft == 0 {
			seq++
		}
		frame[i].Seq = seq
	}
	if err := e.Replay(frame); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // a busy machine may not be done within its time: it goes on where it stopped
		if e.gaugeAll(); !slices.ContainsFunc(e.shards, func(s *shard) bool { return s.bands.gauge.isRunning() }) {
			break
		}
	}
	for _, s := range e.shards {
		if g := &s.bands.gauge; g.accounts != gaugeLeast || g.isRunning() || g.sweepAbove() < 1 {
			t.Errorf("shard %d: measured at %d accounts, %d samples, sweeps above %d", s.index, g.accounts, g.taken, g.sweepAbove())
		}
	}
	e.Start()
	t.Cleanup(e.Close)
	for int(next) < 2*gaugeLeast*gaugeGrowth {
		batch := open(128)
		for i := range batch {
			if r := must(t, e, batch[i]); r.Reason != risk.ReasonNone {
				t.Fatal(r.Reason)
			}
		}
	}
	for range 500 {
		isDone := true
		if _, err := e.ReadAll(func(shard int, _ *risk.Machine) {
			g := &e.shards[shard].bands.gauge
			if shard == 0 {
				isDone = g.accounts >= gaugeLeast*gaugeGrowth && !g.isRunning()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if isDone {
			return
		}
		time.Sleep(auditBeat / 4)
	}
	t.Error("ten times the accounts are not measured again")
}

// TestSweepAboveComesFromTheMedians feeds times that are known.
func TestSweepAboveComesFromTheMedians(t *testing.T) {
	g := gauge{accounts: 1_000_000}
	for i := range gaugeSamples {
		g.wakeNs[i], g.passNs[i] = gaugeWoken*400, gaugePassed*25
	}
	g.wakeNs[0], g.passNs[1] = time.Second, 0 // somebody else had the core, a clock stood still
	if got := g.sweepAbove(); got != 62_500 {
		t.Errorf("sweeps above %d, want 62500", got)
	}
	for i := range gaugeSamples {
		g.wakeNs[i], g.passNs[i] = time.Second, 0
	}
	if got := g.sweepAbove(); got != 1 {
		t.Errorf("sweeps above %d, want 1", got)
	}
}
