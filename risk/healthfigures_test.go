package risk

import "testing"

// TestRatioBeforeIsThatOfBeforeTheTick crashes a price alone, and together with others: prices
// before are put in force for each account or once for all. Every account that a tick alone
// has moved carries the ratio it had, its present figures, and no mark of the machine's own.
func TestRatioBeforeIsThatOfBeforeTheTick(t *testing.T) {
	for name, prices := range map[string][]string{
		"one price":    {"BTC", "70000"},
		"three prices": {"BTC", "70000", "ETH", "2300", "HYPE", "35"},
	} {
		d := banded(t, 60)
		d.m.params.NoLiquidation = true
		before := map[uint32]uint64{}
		for local := range d.m.accountCount {
			a := &d.m.accounts[local]
			n := d.m.nearest(a, d.m.evaluate(a))
			before[local] = n.word()
		}
		d.prices(prices...)
		told := 0
		for _, e := range d.m.Events() {
			if e.Kind != EventHealthChanged || d.m.accounts[e.Account].mode == ModePortfolio {
				continue // a pool may have moved it as well: then nothing is known of before
			}
			told++
			if e.Flags != EventHasBefore || e.OrderHi != before[e.Account] {
				t.Errorf("%s: account %d: flags %b and ratio before %d, want %b and %d",
					name, e.Account, e.Flags, e.OrderHi, EventHasBefore, before[e.Account])
			}
			a := &d.m.accounts[e.Account]
			n := d.m.nearest(a, d.m.evaluate(a))
			if e.Amount != n.line.value || e.Amount2 != n.line.requirement || e.Market != n.line.market || e.Token != n.line.token {
				t.Errorf("%s: account %d is told with %v of %v, is at %v of %v",
					name, e.Account, e.Amount2, e.Amount, n.line.requirement, n.line.value)
			}
		}
		if told < 5 {
			t.Errorf("%s: %d accounts are told: the test tests little", name, told)
		}
	}
}
