//go:build !race && !invariants

package risk

import "testing"

// TestHotPathsAllocateNothing guards the paths that every order, fill and tick takes.
func TestHotPathsAllocateNothing(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.quick = true
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "NEAR", "4", "t:UBTC", "100000")
	var accounts []uint32
	for i, mode := range []Mode{ModeStandard, ModeUnified, ModePortfolio} {
		a := d.open([]string{"s", "u", "p"}[i], mode)
		d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
		d.must(d.fund(KindDeposit, a, "UBTC", "1"))
		for _, perp := range []string{"BTC", "ETH", "HYPE", "NEAR"} {
			d.must(d.fillOf(a, perp, "1", "4"))
		}
		accounts = append(accounts, a)
	}
	for _, a := range accounts {
		o := []Command{d.orderOf(a, "BTC", "0.1", "99999")}
		c := []Command{o[0]}
		c[0].Kind = KindCancel
		check := func() {
			d.m.Do(o)
			if e := d.m.Events()[0]; e.Reason != ReasonNone {
				t.Fatalf("order refused: %v", e.Reason)
			}
			d.m.Do(c)
		}
		if n := testing.AllocsPerRun(200, check); n != 0 {
			t.Errorf("account %d: order and cancel allocate %v times, want 0", a, n)
		}
		buy, sell := []Command{d.fillOf(a, "ETH", "0.5", "2500")}, []Command{d.fillOf(a, "ETH", "-0.5", "2500")}
		if n := testing.AllocsPerRun(200, func() { d.m.Do(buy); d.m.Do(sell) }); n != 0 {
			t.Errorf("account %d: fills allocate %v times, want 0", a, n)
		}
	}
	up, down := []Command{{Kind: KindPrices}}, []Command{{Kind: KindPrices}}
	up[0].SetPrice(0, PriceMark, d.perps["BTC"], 100500, 0)
	down[0].SetPrice(0, PriceMark, d.perps["BTC"], 99500, 0)
	if n := testing.AllocsPerRun(200, func() { d.m.Do(up); d.m.Do(down) }); n != 0 {
		t.Errorf("a tick allocates %v times, want 0", n)
	}
	var s Sums
	if n := testing.AllocsPerRun(200, func() { s = Sums{}; d.m.ReadSums(&s) }); n != 0 {
		t.Errorf("a sweep allocates %v times, want 0", n)
	}
}

// TestTrackingAllocatesNothing guards touches, checkpoints and captures into room.
func TestTrackingAllocatesNothing(t *testing.T) {
	m := crowd(t, 256)
	dst := make([]byte, 0, 1<<20)
	m.Capture(m.BeginCapture(dst), 10)
	m.EndCapture()
	round := func() {
		m.Checkpoint()
		own := m.BeginCapture(dst)
		own = m.AppendShared(own)
		for n := range uint32(256) {
			if n%3 == 0 {
				m.touch(n)
			}
			if n%5 == 0 {
				m.CheckpointStep(3)
				own, _ = m.Capture(own, 2)
			}
		}
		m.StateHash()
		if _, isDone := m.Capture(own, 256); !isDone {
			t.Fatal("not captured")
		}
		m.EndCapture()
	}
	if n := testing.AllocsPerRun(50, round); n != 0 {
		t.Errorf("tracking allocates %v times a round, want 0", n)
	}
}
