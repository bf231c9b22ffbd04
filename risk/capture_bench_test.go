package risk

import (
	"fmt"
	"testing"
)

// crowd returns a machine of n accounts with four positions and a balance each.
func crowd(tb testing.TB, n uint32) *Machine {
	tb.Helper()
	d := newDesk(tb)
	d.m, d.quick = New(Config{Shards: 1, AccountsMax: n}), true
	d.standard()
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "NEAR", "4", "t:UBTC", "100000")
	for i := range n {
		a := d.open(fmt.Sprintf("a%d", i), Mode(1+i%3))
		d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
		for _, perp := range []string{"BTC", "ETH", "HYPE", "NEAR"} {
			d.must(d.fillOf(a, perp, "1", "4"))
		}
	}
	return d.m
}

const crowdSize = 4096

func BenchmarkHashAccount(b *testing.B) {
	m := crowd(b, crowdSize)
	for n := range b.N {
		m.hashAccount(&m.accounts[n%crowdSize])
	}
}

func BenchmarkEncodeAccount(b *testing.B) {
	m := crowd(b, crowdSize)
	dst := make([]byte, 0, 4096)
	for n := range b.N {
		dst = m.appendAccount(dst[:0], uint32(n%crowdSize))
	}
	b.ReportMetric(float64(len(dst)), "B/account")
}

// BenchmarkRestoreAccount restores whole crowds; ns/account is the figure.
func BenchmarkRestoreAccount(b *testing.B) {
	m := crowd(b, crowdSize)
	own := m.BeginCapture(nil)
	shared := m.AppendShared(nil)
	accounts, isDone := m.Capture(make([]byte, 0, 1<<20), crowdSize)
	if m.EndCapture(); !isDone {
		b.Fatal("not captured")
	}
	for b.Loop() {
		again := New(m.cfg)
		if again.RestoreShared(shared) != nil || again.RestoreShard(own) != nil || again.RestoreAccounts(accounts) != nil {
			b.Fatal("not restored")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowdSize, "ns/account")
}

// BenchmarkTouch is an order and its cancel: while nothing asks; when each account's hash
// was asked since it was last touched; and while a capture begins anew before each.
func BenchmarkTouch(b *testing.B) {
	for _, how := range []string{"quiet", "hash", "capture"} {
		b.Run(how, func(b *testing.B) {
			m := crowd(b, crowdSize)
			var o, c [1]Command
			o[0] = Command{Kind: KindOrder, OrderLo: 1, OrderForm: FormUint, Flags: FlagOrderID}
			o[0].SetNum(0, 1, 3)
			o[0].SetNum(1, 90000, 0)
			for n := range b.N {
				local := n % crowdSize
				a := &m.accounts[local]
				switch how {
				case "hash":
					if a.flags&accountTouched != 0 {
						m.track.dirty = m.track.dirty[:0]
						a.flags &^= accountTouched
					}
				case "capture":
					a.flags ^= accountKept
					m.track.backlog = m.track.backlog[:0]
				}
				o[0].Ref[RefAccount] = uint32(local)
				c[0] = o[0]
				c[0].Kind = KindCancel
				m.Do(o[:])
				m.Do(c[:])
			}
		})
	}
}
