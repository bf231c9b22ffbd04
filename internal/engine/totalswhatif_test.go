package engine

import (
	"errors"
	"sync"
	"testing"

	"plimsoll/risk"
)

func TestAPassTakesOneShock(t *testing.T) {
	t.Parallel()
	d := newTotalsDesk()
	down, up := risk.Shock{Market: risk.NoSlot, MoveE8: -5}, risk.Shock{Market: risk.NoSlot, MoveE8: 5}
	plain, _ := d.join(3, 1)
	p, isLeader, isJoined := d.joinShocked(0, 1, &down)
	if p != plain || isLeader || !isJoined || p.shock == nil || *p.shock != down || p.nearest != 3 {
		t.Errorf("a shock must join the pass that waits without one: %+v", p)
	}
	same := down
	if p, isLeader, isJoined = d.joinShocked(0, 1, &same); p != plain || isLeader || !isJoined {
		t.Error("the same shock must share the pass")
	}
	if p, _, isJoined = d.joinShocked(0, 1, &up); p != plain || isJoined || *p.shock != down {
		t.Error("another shock must wait for its turn")
	}
	d.turn(plain, true)
	if p, isLeader, isJoined = d.joinShocked(0, 1, &up); p == plain || !isLeader || !isJoined || *p.shock != up {
		t.Error("another shock must lead the pass after")
	}
}

// TestShocksAndTotalsAreAskedForAtOnce has callers with different shocks and with none ask on
// real threads while commands come in.
func TestShocksAndTotalsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	cfg := testConfig(2)
	cfg.AccountsMax, cfg.Clock, cfg.Now, cfg.Threads = genSlots, ClockCommands, nil, 2
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	var group sync.WaitGroup
	for n := range int64(4) {
		group.Go(func() {
			shock := risk.Shock{Market: risk.NoSlot, MoveE8: (n - 2) * 10_000_000}
			for {
				view, seq, err := e.WhatIf(shock)
				switch {
				case errors.Is(err, ErrClosed):
					return
				case errors.Is(err, ErrBusy):
				case err != nil || view.WhatIf == nil || view.WhatIf.Shock != shock || view.Seq != seq:
					t.Errorf("%v: %+v at %d, %v", shock, view, seq, err)
					return
				case shock.MoveE8 == 0 && view.WhatIf.Health != view.Health:
					t.Errorf("no move changes %v to %v", view.Health, view.WhatIf.Health)
				}
			}
		})
	}
	for _, batch := range realHistory(11) {
		if err := e.Submit(batch, make([]Result, len(batch))); err != nil {
			t.Error(err)
		}
		if _, _, err := e.Totals(1); err != nil && !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	e.Close()
	group.Wait()
}
