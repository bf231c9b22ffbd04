package bench

import (
	"testing"

	"plimsoll/risk"
)

// BenchmarkFill is Machine.Apply of a fill at the mark that adds a tenth to a position: money
// moved, average entry, collateral, hot columns, answer. The accounts come in random order,
// each with four positions and no order; the opposite fills are not timed. The reference is
// plainCheck, the bare arithmetic of a check of the same accounts.
func BenchmarkFill(b *testing.B) {
	for _, accounts := range []int{1_000, 100_000} {
		for _, mode := range eachMode() {
			s := shape{accounts: accounts, mode: mode}
			b.Run(s.String(), func(b *testing.B) { fills(b, s) })
		}
	}
}

func fills(b *testing.B, s shape) {
	b.Helper()
	w := draw(s)
	m := newMachine(b, w)
	batch := newOrderBatch(w)
	add, takeBack := make([]risk.Command, len(batch.orders)), make([]risk.Command, len(batch.orders))
	next := func() {
		batch.next()
		for n := range batch.orders {
			account := int(batch.orders[n].Account())
			c := w.fill(account, n%positions)
			c.TimeMs, c.Num[0] = startMs, max(1, c.Num[0]/10)
			add[n] = c
			c.Flags ^= risk.FlagSell
			takeBack[n] = c
		}
	}
	apply := func(commands []risk.Command) func() {
		return func() {
			for i := range commands {
				commands[i].Seq = m.Seq() + 1
				m.Apply(commands[i : i+1])
				if m.Events()[0].Reason != risk.ReasonNone {
					b.Fatalf("fill refused: %v", m.Events()[0].Reason)
				}
			}
		}
	}
	rounds := max(1, 100_000/s.accounts)
	p := pairs{
		before: next, ours: apply(add), after: apply(takeBack), refBefore: next, items: len(add), refItems: rounds * len(add),
	}
	p.reference = func() {
		for range rounds {
			sink += w.plainCheck(batch.orders)
		}
	}
	hash := m.StateHash()
	p.run(b)
	if m.StateHash() != hash {
		b.Fatal("fills and their opposites left something behind")
	}
}
