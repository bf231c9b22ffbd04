package engine

import (
	"sync"
	"sync/atomic"
	"testing"

	"plimsoll/risk"
)

// TestReadTotalsSeesOnePlaceOfTheOrder reads own and foreign totals of a pool while four
// shards move them: debt and cash must add up to supply at every read, which they do only
// if all shards are read as of the same place.
func TestReadTotalsSeesOnePlaceOfTheOrder(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = 4, 64, ClockCommands
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	defer e.Close()
	submit := func(records ...risk.Command) {
		results := make([]Result, 16)
		if err := e.Submit(records, results); err != nil {
			t.Error(err)
		}
	}
	name := func(kind risk.Kind, text string) risk.Command {
		c := risk.Command{Kind: kind}
		c.SetName([]byte(text))
		return c
	}
	token := risk.Command{Kind: risk.KindListToken, Flags: risk.FlagBorrowable, GroupLeft: 3, Leverage: 2, Mode: 8}
	token.Ref = [4]uint32{0, 0, risk.NoSlot, 0}
	rates, limits := risk.Command{Kind: risk.KindPartRates, GroupLeft: 2}, risk.Command{Kind: risk.KindPartLimits, GroupLeft: 1}
	for i, v := range [4]int64{0, 5, 475, 80} {
		token.SetNum(i, 1_000_000_000, 0)
		rates.SetNum(i, v, 2)
	}
	limits.SetNum(0, 1, 1)
	submit(token, rates, limits, name(risk.KindPartName, "USDC"))
	for slot := range uint32(8) {
		c := name(risk.KindOpenAccount, string(rune('a'+slot)))
		c.Mode, c.Ref = uint8(risk.ModePortfolio), [4]uint32{slot, risk.NoAccount, 0, 0}
		submit(c)
	}
	var left atomic.Int32
	left.Store(4)
	var wait sync.WaitGroup
	for worker := range uint32(4) {
		wait.Go(func() {
			defer left.Add(-1)
			for n := range uint32(200) {
				c := risk.Command{Kind: risk.KindDeposit}
				c.Ref = [4]uint32{(worker + n) % 8, risk.NoAccount, 0, 0}
				c.SetNum(0, 1+int64(n%7), 0)
				submit(c)
			}
		})
	}
	var supply int64
	reads := 0
	for n := 0; left.Load() > 0 || n < 100; n++ {
		reads++
		var own, foreign risk.Totals
		if _, err := e.ReadTotals(uint32(n%8), func(m *risk.Machine) { own, foreign = m.OwnTotals(0), m.ForeignTotals(0) }); err != nil {
			t.Fatal(err)
		}
		sum := own.Add(foreign)
		if sum.Supply != sum.Cash.Add(sum.Debt) {
			t.Fatalf("read %d: supply %v, cash %v, debt %v", n, sum.Supply, sum.Cash, sum.Debt)
		}
		now, _ := sum.Supply.Int64()
		if now < supply {
			t.Fatalf("read %d: supply fell from %d to %d", n, supply, now)
		}
		supply = now
	}
	wait.Wait()
	if t.Logf("%d reads, %d supplied", reads, supply); supply == 0 {
		t.Error("nothing was supplied: the test says nothing")
	}
	var total, at risk.Totals
	if _, err := e.ReadTotals(5, func(m *risk.Machine) { at = m.OwnTotals(0).Add(m.ForeignTotals(0)) }); err != nil {
		t.Fatal(err)
	}
	var owns [4]risk.Totals
	if _, err := e.ReadAll(func(shard int, m *risk.Machine) { owns[shard] = m.OwnTotals(0) }); err != nil {
		t.Fatal(err)
	}
	for i := range owns {
		total = total.Add(owns[i])
	}
	if at != total {
		t.Errorf("totals read by one shard %+v, by all %+v", at, total)
	}
}
