package risk

import (
	"fmt"
	"testing"
)

// crowd opens n accounts of four positions each on a desk with forty perps.
func crowd(b *testing.B, n int, mode Mode) *Machine {
	b.Helper()
	t := &testing.T{}
	d := newDesk(t)
	d.m = New(Config{Shards: 1, AccountsMax: uint32(n) + 1})
	d.quick = true
	d.standard()
	for i := range 40 {
		d.listPerp(fmt.Sprintf("P%d", i), 2, "0", "20", "40000000", "10")
	}
	for i := range 40 {
		d.prices(fmt.Sprintf("P%d", i), fmt.Sprintf("%d.5", 100+i))
	}
	for i := range n {
		c := Command{Kind: KindOpenAccount, Mode: uint8(mode)}
		c.SetName(fmt.Appendf(nil, "s%d", i))
		c.Ref = [4]uint32{uint32(i), NoAccount, 0, 0}
		d.m.Do([]Command{c})
		d.m.Do([]Command{d.fund(KindDeposit, uint32(i), "USDC", "100000")})
		for k := range 4 {
			size := "10"
			if (i+k)%2 == 0 {
				size = "-10"
			}
			d.m.Do([]Command{d.fillOf(uint32(i), fmt.Sprintf("P%d", (i*7+k*11)%40), size, "100")})
		}
	}
	return d.m
}

func BenchmarkSweep(b *testing.B) {
	for _, mode := range []Mode{ModeUnified, ModePortfolio} {
		b.Run(fmt.Sprintf("mode=%d/accounts=100000/positions=4", mode), func(b *testing.B) {
			m := crowd(b, 100_000, mode)
			b.ReportAllocs()
			for b.Loop() {
				var s Sums
				m.ReadSums(&s)
				if s.Accounts != 100_000 {
					b.Fatal("accounts missing")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/account")
		})
	}
}

func BenchmarkOrderCheck(b *testing.B) {
	for _, mode := range []Mode{ModeStandard, ModeUnified, ModePortfolio} {
		b.Run(fmt.Sprintf("mode=%d/positions=4", mode), func(b *testing.B) {
			m := crowd(b, 1000, mode)
			order := []Command{{Kind: KindOrder, Flags: FlagOrderID, OrderForm: FormUint}}
			cancel := []Command{{Kind: KindCancel, Flags: FlagOrderID, OrderForm: FormUint}}
			seq := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				account := uint32(seq % 1000)
				order[0].Seq, order[0].OrderLo = seq, seq
				order[0].Ref = [4]uint32{account, 0, 10, 0}
				order[0].SetNum(0, 1, 0)
				order[0].SetNum(1, 100, 0)
				m.Do(order)
				if m.Events()[0].Reason != ReasonNone {
					b.Fatal(m.Events()[0].Reason)
				}
				cancel[0].Seq, cancel[0].OrderLo, cancel[0].Ref = seq, seq, [4]uint32{account, 0, 0, 0}
				m.Do(cancel)
			}
		})
	}
}
