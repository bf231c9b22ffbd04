package risktest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// TestTotalsAreTheSumOfAccountViews adds up the totals once more with math/big, from what
// every account shows of itself, what the ledgers hold and the plain exact pass.
func TestTotalsAreTheSumOfAccountViews(t *testing.T) {
	t.Parallel()
	for seed := *from; seed < *from+*seeds/4; seed++ {
		g := NewGenerator(seed, Options{Accounts: totalsSlots, Invalid: 5, Imports: seed%2 == 0})
		s := NewShards(1, totalsMax)
		for _, group := range g.Listings() {
			s.Do(group)
		}
		for n := range 160 {
			s.Do(g.Next())
			if n%20 != 19 {
				continue
			}
			if err := totalsTwin(s, seed); err != nil {
				t.Fatalf("seed %d, group %d: %v", seed, n, err)
			}
		}
	}
}

// twin is a second way to the totals.
type twin struct {
	tokens map[uint32]risk.TokenView
	dexes  map[uint32]uint32 // collateral token

	accounts, positions, unexposed, beyond uint64
	health                                 [risk.HealthCount]uint64
	distances                              [risk.TotalsDistances]uint64
	equity, net, notional                  whole
	initial, maintenance                   whole
	long, short                            map[uint32]whole
	holders                                map[uint32]uint64
	largest                                map[uint32][]risk.Holding
	isVague                                bool // some distance cannot be told from a view
	isPartial                              bool // some requirement cannot
}

func totalsTwin(s *Shards, seed uint64) error {
	m := s.Machines[0]
	w := &twin{
		tokens: map[uint32]risk.TokenView{}, dexes: map[uint32]uint32{}, equity: of(0), net: of(0), notional: of(0),
		initial: of(0), maintenance: of(0),
		long: map[uint32]whole{}, short: map[uint32]whole{}, holders: map[uint32]uint64{}, largest: map[uint32][]risk.Holding{},
	}
	for _, t := range m.ReadTokens(s.Totals()) {
		w.tokens[t.Slot] = t
	}
	for _, d := range m.ReadDexes() {
		w.dexes[d.Slot] = d.Collateral
	}
	var v risk.AccountView
	for slot := range uint32(totalsMax) {
		if s.ReadAccount(slot, &v) {
			w.add(&v)
		}
	}
	var got risk.TotalsView
	m.BeginTotals(&got, risk.NearestMax)
	for !m.TotalsStep(1 + int(seed%5)) {
		continue
	}
	got.SortNearest()
	w.isVague = w.isVague || m.Parameters().OffsetMode != risk.OffsetNone // views do not show the offset
	return errors.Join(w.compareMoney(&got), w.compareMarkets(&got), compareTokens(m, &got), compareNearest(m, &got))
}

// value converts an amount of a token into the numeraire: as the machine does, 0 while a
// price is unknown.
func (w *twin) value(amount whole, token uint32, isUp bool) whole {
	t, q := w.tokens[token], w.tokens[0]
	if token == 0 {
		return amount
	}
	if t.OraclePx.IsNull {
		return of(0)
	}
	num := times(amount, scaled(fromInt128(t.OraclePx.V), int(q.WeiDecimals)))
	den := scaled(fromInt128(q.OraclePx.V), int(t.WeiDecimals))
	if isUp {
		return divCeil(num, den)
	}
	return divFloor(num, den)
}

func (w *twin) add(v *risk.AccountView) {
	w.accounts++
	w.health[v.Margin.Health]++
	perp := map[uint32]whole{} // by collateral token
	for i := range v.Dexes {
		d := &v.Dexes[i]
		q := w.dexes[d.Dex]
		if v.Mode == risk.ModeStandard { // each dex by itself
			worth := w.value(fromInt128(d.AccountValue.V), q, false)
			w.equity, w.net = add(w.equity, worth), add(w.net, worth)
		}
		w.notional = add(w.notional, w.value(fromInt128(d.TotalNtlPos.V), q, false))
		w.maintenance = add(w.maintenance, w.value(crossMaintenance(v, d.Dex), q, true))
		if perp[q] == nil {
			perp[q] = of(0)
		}
		perp[q] = add(perp[q], fromInt128(d.AccountValue.V))
	}
	if v.Mode != risk.ModeStandard {
		w.addBalances(v, perp)
	}
	w.isPartial = w.isPartial || len(perp) > 1 || v.Mode == risk.ModeStandard && len(v.Dexes) > 1 || v.Margin.Token != 0
	w.initial = add(w.initial, fromInt128(v.Margin.InitialRequirement.V))
	for i := range v.Positions {
		w.addPosition(v.Account, &v.Positions[i])
	}
	w.addDistance(v)
}

// crossMaintenance returns Σ maintenance margin of the cross positions of a dex.
func crossMaintenance(v *risk.AccountView, dex uint32) whole {
	sum := of(0)
	for i := range v.Positions {
		if p := &v.Positions[i]; p.Dex == dex && !p.IsIsolated {
			sum = add(sum, fromInt128(p.MaintenanceMargin.V))
		}
	}
	return sum
}

// addBalances adds net balance and equity of a unified or portfolio account.
func (w *twin) addBalances(v *risk.AccountView, perp map[uint32]whole) {
	for q, worth := range perp {
		if q != 0 {
			x := w.value(worth, q, false)
			w.net, w.equity = add(w.net, x), add(w.equity, x)
		}
	}
	for i := range v.Balances {
		b := &v.Balances[i]
		total := fromInt128(b.Total.V)
		if b.Token == 0 {
			w.net, w.equity = add(w.net, total), add(w.equity, total)
			continue
		}
		supplied, debt := fromInt128(b.Supplied.V), fromInt128(b.Borrowed.V)
		idle := add(sub(total, supplied), debt)
		if worth := perp[b.Token]; worth != nil {
			idle = sub(idle, worth)
		}
		if w.tokens[b.Token].LTV.V.Sign() > 0 {
			w.equity = add(w.equity, w.value(supplied, b.Token, false))
		}
		if owed := sub(debt, idle); owed.Sign() > 0 {
			w.equity = sub(w.equity, w.value(owed, b.Token, true))
		}
	}
}

func (w *twin) addPosition(account uint32, p *risk.PositionView) {
	size, _ := p.Size.V.Int64()
	if size == 0 {
		return
	}
	w.positions++
	w.holders[p.Perp]++
	sides := w.long
	if size < 0 {
		sides = w.short
	}
	if sides[p.Perp] == nil {
		sides[p.Perp] = of(0)
	}
	sides[p.Perp] = add(sides[p.Perp], absolute(of(size)))
	w.largest[p.Perp] = append(w.largest[p.Perp], risk.Holding{Account: account, Size: size, Notional: p.PositionValue.V})
}

// addDistance places an account by the figures of the token or dex that binds.
func (w *twin) addDistance(v *risk.AccountView) {
	required := add(fromInt128(v.Margin.MaintenanceMargin.V), fromInt128(v.Margin.BorrowedForMaintenance.V))
	value := fromInt128(v.Margin.LiquidationValue.V)
	switch {
	case v.Margin.PortfolioMarginRatio.V.IsZero() && !v.Margin.RatioIsInfinite && hasRisk(v):
		w.isVague = true // printed as 0: another token may have bound
	case required.Sign() == 0:
		w.unexposed++
	case value.Sign() <= 0 || isLess(value, required):
		w.beyond++
	default:
		w.distances[divFloor(times(of(100), sub(value, required)), value).Int64()]++
	}
}

// hasRisk reports whether an account can have a ratio at all.
func hasRisk(v *risk.AccountView) bool {
	return slices.ContainsFunc(v.Positions, func(p risk.PositionView) bool { return !p.IsIsolated && !p.Size.V.IsZero() }) ||
		slices.ContainsFunc(v.Balances, func(b risk.BalanceView) bool { return b.Borrowed.V.Sign() > 0 || b.Total.V.Sign() < 0 }) ||
		slices.ContainsFunc(v.Dexes, func(d risk.DexView) bool { return d.AccountValue.V.Sign() < 0 })
}

func (w *twin) compareMoney(got *risk.TotalsView) error {
	var faults []error
	for _, x := range []struct {
		name      string
		got, want whole
	}{
		{"equity", fromInt128(got.Equity), w.equity},
		{"net balance", fromInt128(got.NetBalance), w.net},
		{"notional", fromInt128(got.Notional), w.notional},
		{"maintenance", fromInt128(got.Maintenance), w.maintenance},
		{"initial requirement", fromInt128(got.Initial), w.initial},
	} {
		if w.isPartial && x.name == "initial requirement" {
			continue
		}
		if !isEqual(x.got, x.want) {
			faults = append(faults, fmt.Errorf("%s %v, want %v", x.name, x.got, x.want))
		}
	}
	if got.Accounts != w.accounts || got.Positions != w.positions || got.Health != w.health {
		faults = append(faults, fmt.Errorf("%d accounts, %d positions, health %v, want %d, %d, %v",
			got.Accounts, got.Positions, got.Health, w.accounts, w.positions, w.health))
	}
	exposed := got.Beyond
	exposed.Accounts += got.Unexposed.Accounts
	exposed.Notional = exposed.Notional.Add(got.Unexposed.Notional)
	for i := range got.Distances {
		x := got.Distances[i]
		exposed.Accounts, exposed.Notional = exposed.Accounts+x.Accounts, exposed.Notional.Add(x.Notional)
		if !w.isVague && x.Accounts != w.distances[i] {
			faults = append(faults, fmt.Errorf("%d accounts at %d %%, want %d", x.Accounts, i, w.distances[i]))
		}
	}
	if exposed.Accounts != got.Accounts || exposed.Notional != got.Notional {
		faults = append(faults, fmt.Errorf("distances hold %+v, want all", exposed))
	}
	if !w.isVague && (got.Beyond.Accounts != w.beyond || got.Unexposed.Accounts != w.unexposed) {
		faults = append(faults, fmt.Errorf("%d beyond, %d unexposed, want %d, %d",
			got.Beyond.Accounts, got.Unexposed.Accounts, w.beyond, w.unexposed))
	}
	return errors.Join(faults...)
}

func (w *twin) compareMarkets(got *risk.TotalsView) error {
	for slot := range got.Markets {
		x, perp := &got.Markets[slot], uint32(slot)
		for _, side := range []struct {
			got  fixedpoint.Int128
			want whole
		}{{x.Long, w.long[perp]}, {x.Short, w.short[perp]}} {
			if side.want == nil && !side.got.IsZero() || side.want != nil && !isEqual(fromInt128(side.got), side.want) {
				return fmt.Errorf("market %d: %v on one side, want %v", slot, side.got, side.want)
			}
		}
		want := w.largest[perp]
		slices.SortFunc(want, func(a, b risk.Holding) int {
			return cmp.Or(b.Notional.Cmp(a.Notional), cmp.Compare(a.Account, b.Account))
		})
		want = want[:min(len(want), risk.TotalsLargest)]
		if x.Holders != w.holders[perp] || !slices.Equal(x.Largest[:x.LargestCount], want) {
			return fmt.Errorf("market %d: %d holders, largest %+v, want %d, %+v", slot, x.Holders, x.Largest, w.holders[perp], want)
		}
	}
	return nil
}

func compareTokens(m *risk.Machine, got *risk.TotalsView) error {
	for _, id := range m.ReadIdentities() {
		x := &got.Tokens[id.Token]
		supply, debt := x.AccountSums()
		poolSupply, poolDebt := x.PoolSums()
		if x.External != id.External || x.Held() != id.Held || !x.Difference().IsZero() || supply != poolSupply || debt != poolDebt {
			return fmt.Errorf("token %d: %+v, want %+v; sums %v %v, the pool's %v %v",
				id.Token, x, id, supply, debt, poolSupply, poolDebt)
		}
	}
	return nil
}

func compareNearest(m *risk.Machine, got *risk.TotalsView) error {
	for _, limit := range []int{1, 5, risk.NearestMax} {
		want := m.ReadNearest(limit, nil)
		var v risk.TotalsView
		m.BeginTotals(&v, limit)
		for !m.TotalsStep(3) {
			continue
		}
		v.SortNearest()
		if !slices.Equal(v.Nearest, want) || !slices.Equal(got.Nearest[:len(want)], want) {
			return fmt.Errorf("nearest %d\n got %+v\nwant %+v", limit, v.Nearest, want)
		}
	}
	return nil
}
