package risk

import "testing"

// TestBandsAreRationed gives no band to accounts that no tick has looked at beyond the ration,
// and to all that one has.
func TestBandsAreRationed(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000", "ETH", "2500")
	for _, name := range []string{"a", "b", "c", "d"} {
		a := d.open(name, ModeStandard)
		d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
		d.must(d.fillOf(a, "BTC", "1", "100000"))
	}
	awake := func() int { return int(d.m.BandStats().Awake) }
	d.m.RationBands(1)
	for d.m.BandStep(8) {
	}
	if awake() != 3 || d.m.HasBandWork() {
		t.Fatalf("%d accounts are awake under a ration of one, want 3, and nothing to do", awake())
	}
	d.prices("ETH", "2501")
	for d.m.BandStep(8) {
	}
	if awake() != 0 {
		t.Fatalf("%d accounts are awake although a tick has looked at them", awake())
	}
}
