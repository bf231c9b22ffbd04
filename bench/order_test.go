package bench

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"plimsoll/risk"
)

// BenchmarkOrderCheck is Machine.Apply of an accepted order: decode of numbers, margin before
// and after, rest, rebalance, hot columns, answer. The accounts come in random order, each
// with four positions and no order; the orders are cancelled between the samples.
// The reference is plainCheck of the same accounts.
func BenchmarkOrderCheck(b *testing.B) {
	for _, accounts := range []int{1_000, 100_000} {
		for _, mode := range eachMode() {
			s := shape{accounts: accounts, mode: mode}
			b.Run(s.String(), func(b *testing.B) { orderCheck(b, s, risk.KindOrder) })
		}
	}
}

// BenchmarkCancel is Machine.Apply of the cancel of such an order.
func BenchmarkCancel(b *testing.B) {
	for _, mode := range eachMode() {
		s := shape{accounts: 100_000, mode: mode}
		b.Run(s.String(), func(b *testing.B) { orderCheck(b, s, risk.KindCancel) })
	}
}

// orderCheck times orders or their cancels; the other of the two is not timed.
func orderCheck(b *testing.B, s shape, timed risk.Kind) {
	b.Helper()
	w := draw(s)
	m := newMachine(b, w)
	batch := newOrderBatch(w)
	apply := func(commands []risk.Command) func() {
		return func() {
			for i := range commands {
				commands[i].Seq = m.Seq() + 1
				m.Apply(commands[i : i+1])
				if m.Events()[0].Reason != risk.ReasonNone {
					b.Fatalf("kind %d refused: %v", commands[i].Kind, m.Events()[0].Reason)
				}
			}
		}
	}
	order, cancel := apply(batch.orders), apply(batch.cancels)
	p := pairs{
		before: batch.next, ours: order, after: cancel, refBefore: batch.next, items: len(batch.orders),
	}
	if timed == risk.KindCancel {
		p.before, p.ours, p.after = func() { batch.next(); order() }, cancel, nil
	}
	rounds := max(1, 100_000/s.accounts) // a clock of microseconds needs more than one of a small crowd
	p.refItems = rounds * p.items
	p.reference = func() {
		for range rounds {
			sink += w.plainCheck(batch.orders)
		}
	}
	hash := m.StateHash()
	p.run(b)
	if m.StateHash() != hash {
		b.Fatal("orders and their cancels left something behind")
	}
}

// orderBatch is a batch of orders, each of another account and of any market, and their
// cancels. Batch follows batch through all accounts in random order, so that no account of a
// large crowd is still in a cache.
type orderBatch struct {
	w               *crowd
	orders, cancels []risk.Command
	accounts        []int // in the order of their turns
	turn            int
	rng             *rand.Rand
}

func newOrderBatch(w *crowd) *orderBatch {
	rng := rand.New(rand.NewPCG(5, 6))
	size := min(w.accounts, 10_000)
	return &orderBatch{
		w: w, rng: rng, accounts: rng.Perm(w.accounts),
		orders: make([]risk.Command, size), cancels: make([]risk.Command, size),
	}
}

// next makes the next batch.
func (o *orderBatch) next() {
	for n := range o.orders {
		account := o.accounts[o.turn%len(o.accounts)]
		o.turn++
		c := o.w.order(account, o.rng.IntN(perpCount), uint64(n+1))
		c.TimeMs = startMs
		o.orders[n] = c
		c.Kind, c.Flags = risk.KindCancel, risk.FlagOrderID
		c.Num, c.Dec = [4]int64{}, [4]uint8{}
		o.cancels[n] = c
	}
}

// plainCheck is what the bare arithmetic of the check costs: equity and Σ |value| of four
// positions and the order in 128 bits, one division, one comparison; flat arrays, no state.
func (w *crowd) plainCheck(orders []risk.Command) (accepted uint64) {
	for n := range orders {
		o := &orders[n]
		i := int(o.Account())
		sizes, perps := w.size[i*positions:][:positions], w.perp[i*positions:][:positions]
		var hi, lo uint64
		equity := w.cash[i]
		for k, size := range sizes {
			price := plainPrices[perps[k]]
			h, l := bits.Mul64(uint64(max(size, -size)), uint64(price))
			var carry uint64
			lo, carry = bits.Add64(lo, l, 0)
			hi += h + carry
			equity += size * (price - plainPrices[perps[k]])
		}
		h, l := bits.Mul64(uint64(o.Num[0]), uint64(o.Num[1]))
		lo, carry := bits.Add64(lo, l, 0)
		requirement, _ := bits.Div64(hi+h+carry, lo, 3)
		if uint64(equity) >= requirement {
			accepted++
		}
	}
	return accepted
}

var plainPrices = func() (prices [perpCount]int64) {
	copy(prices[:], marks(0))
	return prices
}()
