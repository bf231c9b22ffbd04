package engine

import (
	"testing"
	"time"

	"plimsoll/risk"
)

// slowMachine takes a while for every group.
type slowMachine struct {
	*risk.Machine
	wait time.Duration
}

func (m *slowMachine) Apply(group []risk.Command) {
	time.Sleep(m.wait)
	m.Machine.Apply(group)
}

// TestTotalsComeToAnEndBesideSlowGroups gives a shard a group for every Poll, each of which takes
// as long as a tick of a large house: a pass must go on for a share of that, not by a few accounts.
func TestTotalsComeToAnEndBesideSlowGroups(t *testing.T) {
	t.Parallel()
	const accounts, polls = 4_000, 200 // by totalsBusy alone 500
	cfg := testConfig(1)
	cfg.AccountsMax, cfg.Clock, cfg.Now, cfg.stepMax = accounts, ClockCommands, nil, 0
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range uint32(accounts) {
		c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(risk.ModeStandard)}
		c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
		c.SetName([]byte{'a', 'a' + byte(slot>>8&15), 'a' + byte(slot>>4&15), 'a' + byte(slot&15)})
		finishBatch(t, e, []risk.Command{c})
	}
	s := e.shards[0]
	s.m = &slowMachine{Machine: s.real, wait: 4 * time.Millisecond}
	p, _ := beginPass(t, e, 1, e.pollAll)
	for n := 0; !p.isCounted(); n++ {
		if n == polls {
			t.Fatalf("the pass over %d accounts is not over after %d groups", accounts, polls)
		}
		finishBatch(t, e, []risk.Command{{Kind: risk.KindCancelAll, Ref: [4]uint32{uint32(n), 0, risk.NoSlot, 0}}})
	}
	if p.views[0].Accounts != accounts {
		t.Errorf("the pass counted %d accounts, want %d", p.views[0].Accounts, accounts)
	}
}
