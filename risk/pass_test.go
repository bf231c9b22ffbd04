package risk

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"plimsoll/fixedpoint"
)

// passDesk is a machine whose columns a test may write to, with accounts of all three modes
// that hold up to five perps.
type passDesk struct {
	*desk
	rng      *rand.Rand
	accounts []uint32
}

func newPassDesk(t testing.TB, seed uint64, count int) *passDesk {
	t.Helper()
	d := &passDesk{desk: newDesk(t), rng: rand.New(rand.NewPCG(seed, 7))}
	d.quick = true
	d.listToken(tokenTerms{"USDC", 0, 8, 2, true, "0", "1000000000", "500000000", "250000000", "50000000", ""})
	for i, tiers := range [][]string{{"0", "40", "150000000", "20"}, {"0", "50"}, {"0", "3"}, {"0", "7", "1000000", "1"}, {"0", "9"}} {
		name := "P" + string(rune('A'+i))
		d.listPerp(name, uint8(i), tiers...)
		d.prices(name, "10")
	}
	d.m.cfg.Detect = DetectSweep
	for i := range count {
		mode := ModeStandard + Mode(i%3)
		a := d.open("a"+string(rune('A'+i%26))+string(rune('a'+i/26)), mode)
		d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
		for p := range 1 + i%5 {
			d.must(d.fillOf(a, "P"+string(rune('A'+(p+i)%5)), "1", "10"))
		}
		d.accounts = append(d.accounts, a)
	}
	return d
}

// upTo draws a number of any magnitude up to a limit.
func (d *passDesk) upTo(limit uint64) uint64 {
	limit = max(limit, 1)
	return 1 + d.rng.Uint64N(limit)>>d.rng.IntN(bits.Len64(limit))
}

// reprice draws marks and funding anew: of any magnitude, or about as far from the anchors as
// they may be.
func (d *passDesk) reprice() {
	m, fresh := d.m, d.rng.IntN(3) == 0
	for slot := range m.perpCount {
		p := &m.perps[slot]
		if fresh {
			p.mark = int64(d.upTo(1 << 36))
		} else {
			p.mark = max(1, int64(m.pass.anchors[slot].price/100)*(800+d.rng.Int64N(1210))/1000)
		}
		p.cumE12 = 0
		if d.rng.IntN(2) == 0 {
			p.cumE12 = (d.rng.Int64N(2_000_000) - 1_000_000) * (p.mark/4 + 1) / 4
		}
		m.refreshPerp(slot)
	}
	m.openSweep()
	if fresh {
		m.anchorAll()
		m.openSweep()
	}
}

// redraw draws an account's positions anew, some as large as a pass takes them.
func (d *passDesk) redraw(account uint32) {
	m := d.m
	a := &m.accounts[account]
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		slot := m.positions.perp[i] &^ isolatedBit
		p, x := &m.perps[slot], &m.pass.anchors[slot]
		size := int64(d.upTo([...]uint64{3, 100, x.sizeMax, x.sizeMax + 1}[d.rng.IntN(4)]))
		if d.rng.IntN(2) == 0 {
			size = -size
		}
		leverage := 1 + d.rng.IntN(int(p.maxLeverage()))
		if d.rng.IntN(3) == 0 {
			leverage = 1 + d.rng.IntN(60) // as after a listing that lowered what is allowed
		}
		m.positions.size[i] = size
		m.positions.setLeverage(i, uint16(leverage), d.rng.IntN(60) == 0, true)
		m.positions.terms[i] = positionTerms{cumE12: p.cumE12 - d.rng.Int64N(p.mark*1000)}
	}
	if a.mode == ModePortfolio {
		m.balances.of(&a.balances)[0].lend = fixedpoint.I128(int64(d.upTo(1 << 50)))
	}
	m.hot[account].told = uint8(HealthHealthy)
}

// isClear reports whether a pass leaves an account with so much cash alone.
func (d *passDesk) isClear(account uint32, cash int64) bool {
	m := d.m
	m.accounts[account].raw = fixedpoint.I128(cash)
	m.deriveHot(account)
	from := int(account) / passAccounts * passAccounts
	c := m.passColumns(from)
	return m.pass.tellingIn(&c)>>(int(account)-from)&1 == 0
}

func (d *passDesk) exact(account uint32) status {
	a := &d.m.accounts[account]
	return d.m.statusOf(a, d.m.evaluate(a))
}

// least returns the least cash for which a condition that more cash can only help holds.
func least(holds func(cash int64) bool) (int64, bool) {
	low, high := int64(-1<<56), int64(1<<56)
	if !holds(high) || holds(low) {
		return 0, false
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, true
}

// TestWhatAPassSkipsIsHealthy sets accounts at the very edge of what a pass takes for clear:
// there, and with a unit more, the exact status must be healthy.
func TestWhatAPassSkipsIsHealthy(t *testing.T) {
	t.Parallel()
	d := newPassDesk(t, 1, 60)
	found, tries := 0, 0
	for range 400 {
		d.reprice()
		for _, account := range d.accounts {
			d.redraw(account)
			tries++
			edge, ok := least(func(cash int64) bool { return d.isClear(account, cash) })
			if !ok {
				continue
			}
			found++
			for more := range int64(2) {
				if !d.isClear(account, edge+more) {
					t.Fatalf("account %d is clear with %d and not with more", account, edge)
				}
				if s := d.exact(account); s != status(HealthHealthy) {
					t.Fatalf("a pass skips account %d of mode %d with status %#x", account, d.m.accounts[account].mode, s)
				}
			}
		}
	}
	if found < tries/2 {
		t.Errorf("of %d accounts only %d can be clear", tries, found)
	}
}

// TestAPassLooksAtFew holds the edge of the pass to the exact one where prices stand at their
// anchors and no leverage is cut: rounding is all that is between them.
func TestAPassLooksAtFew(t *testing.T) {
	t.Parallel()
	d := newPassDesk(t, 2, 60)
	found := 0
	for range 100 {
		d.reprice()
		d.m.anchorAll()
		d.m.openSweep()
		for _, account := range d.accounts {
			a := &d.m.accounts[account]
			if a.mode == ModePortfolio {
				continue
			}
			d.redraw(account)
			slack := int64(2)
			for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
				p := &d.m.perps[d.m.positions.perp[i]&^isolatedBit]
				d.m.positions.setLeverage(i, min(d.m.positions.leverage(i), p.maxLeverage()), false, true)
				size := d.m.positions.size[i]
				slack += passRound + max(size, -size)*(passScale+1)/passScale/passScale + 1
				if p.cumE12 < 0 { // then the anchor is what a position is worth, above its price
					slack += max(size, -size) * (1 - p.cumE12/1_000_000) * 100
				}
			}
			edge, ok := least(func(cash int64) bool { return d.isClear(account, cash) })
			if !ok {
				continue
			}
			found++
			want, _ := least(func(cash int64) bool {
				a.raw = fixedpoint.I128(cash)
				return d.exact(account) == status(HealthHealthy)
			})
			if edge < want || edge > want+slack {
				t.Fatalf("account %d is clear from %d on, healthy from %d, slack %d", account, edge, want, slack)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d accounts could be clear", found)
	}
}

// TestSumsOfAPassAreExact compares the sums of a pass with those of accounts evaluated one by
// one, to the last digit, while prices move and anchors stay behind.
func TestSumsOfAPassAreExact(t *testing.T) {
	t.Parallel()
	d := newPassDesk(t, 3, 200)
	m := d.m
	healthy := uint64(0)
	for range 300 {
		d.reprice()
		for _, account := range d.accounts {
			d.redraw(account)
			m.accounts[account].raw = fixedpoint.I128(int64(d.upTo(1<<56)) - 1<<40)
			m.deriveHot(account)
		}
		var got, want Sums
		m.ReadSums(&got)
		healthy += got.Bands[HealthHealthy]
		var equityE12 i128
		for _, account := range d.accounts {
			a := &m.accounts[account]
			f := m.evaluate(a)
			x := &f.dexes[0]
			want.Accounts++
			want.Positions += uint64(a.positions.count)
			want.Notional = want.Notional.Add(x.crossNtl).Add(x.isoNtl)
			want.Maintenance = want.Maintenance.Add(x.crossMM)
			want.Equity = want.Equity.Add(x.isoEquity)
			if a.mode != ModeStandard {
				b := m.balanceOf(a, uint16(m.numeraire))
				want.Equity = want.Equity.Add(b.cash).Add(m.supplied(b))
			}
			if h := &m.hot[account]; h.kind() != hotFull && m.hotMargin(account).isFast {
				equityE12 = equityE12.Add(mustFit(a.raw.MulInt64(m.sweepSubUnit))).Add(x.crossE12)
			} else {
				want.Equity = want.Equity.Add(x.crossValue)
			}
			want.Bands[m.healthOf(a, f)]++
		}
		want.Equity = want.Equity.Add(equityE12.DivFloor(m.sweepSubUnit))
		if got != want {
			t.Fatalf("a pass sums up to\n%+v\nthe accounts to\n%+v", got, want)
		}
	}
	if healthy < 10_000 {
		t.Errorf("only %d accounts were healthy", healthy)
	}
}

// TestMaintenanceByRateRoundsUp compares the product with a rate to the division, at and
// around multiples, up to the bound that anchors set.
func TestMaintenanceByRateRoundsUp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 7))
	for leverage := uint64(1); leverage <= LeverageMax; leverage++ {
		divisor, rate := 2*leverage, maintenanceRate(leverage)
		bound := uint64(1 << 58)
		if rest := -(divisor * rate); rest > 0 {
			bound = min(bound, (1<<64-1)/rest)
		}
		for range 200 {
			n := rng.Uint64N(bound) >> rng.IntN(58)
			for _, n := range []uint64{n, n / divisor * divisor, n/divisor*divisor + 1, bound, bound / divisor * divisor} {
				if got, want := addMaintenance(7, n, rate), 7+(n+divisor-1)/divisor; got != want {
					t.Fatalf("ceil(%d / %d) is %d, want %d", n, divisor, got-7, want-7)
				}
			}
		}
	}
}

// TestAPassMindsRoundingOfTinyPositions has portfolio accounts of a few units of notional,
// where what rounding up costs is all that need is made of, at the edge of margin sharing.
func TestAPassMindsRoundingOfTinyPositions(t *testing.T) {
	t.Parallel()
	d := newPassDesk(t, 5, 18)
	m := d.m
	for range 2000 {
		for slot := range m.perpCount {
			m.perps[slot].mark = 1 + d.rng.Int64N(30)
			m.refreshPerp(slot)
		}
		m.openSweep()
		m.anchorAll()
		m.openSweep()
		for _, account := range []uint32{2, 17} { // perps C, D and E, whose leverage is below ten
			a := &m.accounts[account]
			for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
				m.positions.size[i] = 1 + d.rng.Int64N(3)
				m.positions.setLeverage(i, 50, false, true)
				m.positions.terms[i].cumE12 = d.rng.Int64N(m.sweepSubUnit) // so that equity is no whole unit
			}
			edge, ok := least(func(cash int64) bool { return d.isClear(account, cash) })
			if !ok || !d.isClear(account, edge) {
				t.Fatal("an account of tiny positions is never clear")
			}
			if s := d.exact(account); s != status(HealthHealthy) {
				t.Fatalf("a pass skips account %d with status %#x", account, s)
			}
		}
	}
}

// TestLentWorthIsTheIndexed compares the product that a pass takes with the index itself.
func TestLentWorthIsTheIndexed(t *testing.T) {
	t.Parallel()
	d := newPassDesk(t, 6, 3)
	m := d.m
	p := &m.pools[m.tokens[m.numeraire].pool]
	for range 300 {
		p.supplyIndex = fixedpoint.IndexOne()
		p.supplyIndex.U.Lo = d.rng.Uint64()
		p.supplyIndex.U.Hi += d.rng.Uint64N(4 * p.supplyIndex.U.Hi)
		m.openSweep()
		for range 2000 {
			m.lent[0] = passLentMax - d.rng.Int64N(passLentMax)>>d.rng.IntN(53)
			if got, want := m.lentWorth(0), m.lendValue(0); got != want {
				t.Fatalf("%d at index %v is worth %v, want %v", m.lent[0], p.supplyIndex, got, want)
			}
		}
	}
}
