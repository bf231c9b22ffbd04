package risktest

import (
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// dust is what the roundings of one rebalance may move: a unit per token and dex touched.
const dust = 8

// population is a run with imported portfolios, and the views before a change.
type population struct {
	s     *Shards
	g     *Generator
	slots []uint32
}

// populate lists the universe and imports accounts from a seed.
func populate(seed uint64) *population {
	p := &population{s: NewShards(1, 64), g: NewGenerator(seed, Options{Accounts: 48, Imports: true})}
	for _, group := range p.g.Listings() {
		p.s.Do(group)
	}
	for range 2 {
		p.s.Do(p.g.Next())
	}
	for slot := range uint32(48) {
		if p.s.Do(p.g.Portfolio(slot))[0].Reason == risk.ReasonNone {
			p.slots = append(p.slots, slot)
		}
	}
	return p
}

// row returns an account's balance row of a token.
func (p *population) row(slot, token uint32) (risk.BalanceView, bool) {
	var v risk.AccountView
	p.s.ReadAccount(slot, &v)
	i := slices.IndexFunc(v.Balances, func(b risk.BalanceView) bool { return b.Token == token })
	if i < 0 {
		return risk.BalanceView{}, false
	}
	return v.Balances[i], true
}

// owesElsewhere reports a debt in a token other than dollars. What such an account may
// borrow there depends on what it owes here, and pools are asked side by side: more
// collateral may then mean more debt elsewhere, and two touches more than one.
func (p *population) owesElsewhere(slot uint32) bool {
	var v risk.AccountView
	p.s.ReadAccount(slot, &v)
	return slices.ContainsFunc(v.Balances, func(b risk.BalanceView) bool {
		return b.Token != 0 && (b.Borrowed.V.Sign() > 0 || b.Total.V.Less(b.Hold.V))
	})
}

// settle touches an account until it stands still: what one touch lends is capacity for
// the next only.
func (p *population) settle(slot uint32) {
	for range 3 {
		p.s.Do([]risk.Command{funds(risk.KindDeposit, slot, 0, "0.00001")})
	}
}

func isBelow(after, before risk.Amount) bool {
	return after.V.Add(fixedpoint.I128(dust)).Less(before.V)
}

func TestAddingCollateralNeverLowersWhatIsLeftAfterMaintenance(t *testing.T) {
	count := 0
	for seed := uint64(1); seed <= 25; seed++ {
		p := populate(seed)
		for _, slot := range p.slots {
			if p.g.Mode(slot) == risk.ModeStandard || p.owesElsewhere(slot) {
				continue
			}
			token := p.g.r.Uint32N(3)
			touch := funds(risk.KindDeposit, slot, token, "0.00001") // brings the account to its targets
			if p.s.Do([]risk.Command{touch})[0].Reason != risk.ReasonNone {
				t.Fatal("a deposit is refused")
			}
			before, _ := p.row(slot, 0)
			p.s.Do([]risk.Command{p.g.funds(risk.KindDeposit, slot, token, p.g.money(100_000*million))})
			after, _ := p.row(slot, 0)
			if isBelow(after.AfterMaint, before.AfterMaint) {
				t.Errorf("seed %d account %d: %s after maintenance, then a deposit of token %d leaves %s",
					seed, slot, Text(before.AfterMaint), token, Text(after.AfterMaint))
			}
			count++
		}
	}
	t.Logf("%d deposits", count)
}

func TestRaisingTheMarkOfALongNeverLowersItsNetBalance(t *testing.T) {
	count := 0
	for seed := uint64(1); seed <= 25; seed++ {
		p := populate(seed)
		for n := range universePerps {
			before := map[uint32]risk.Amount{}
			for _, slot := range p.slots {
				if p.isLong(slot, uint32(n)) {
					b, ok := p.row(slot, universePerps[n].token)
					if ok {
						before[slot] = b.Total
					}
				}
			}
			px := 6 - universePerps[n].sz
			p.g.perps[n] += p.g.perps[n] / 7
			var b tickBuilder
			b.add(risk.PriceMark, uint32(n), at(p.g.perps[n], px), px)
			p.s.Do(b.group)
			for slot, was := range before {
				now, _ := p.row(slot, universePerps[n].token)
				if isBelow(now.Total, was) {
					t.Errorf("seed %d account %d perp %d: N %s, then %s at a higher mark", seed, slot, n, Text(was), Text(now.Total))
				}
				count++
			}
		}
	}
	t.Logf("%d longs", count)
}

func (p *population) isLong(slot, perp uint32) bool {
	var v risk.AccountView
	p.s.ReadAccount(slot, &v)
	return slices.ContainsFunc(v.Positions, func(x risk.PositionView) bool { return x.Perp == perp && x.Size.V.Sign() > 0 })
}

func TestADepositInTwoPartsIsTheSameDeposit(t *testing.T) {
	count := 0
	for seed := uint64(1); seed <= 25; seed++ {
		one, two := populate(seed), populate(seed)
		for _, slot := range one.slots {
			whole := one.g.funds(risk.KindDeposit, slot, one.g.token(), one.g.money(300_000*million))
			first, rest := whole, whole
			first.Num[0] = 1 + one.g.r.Int64N(whole.Num[0])
			rest.Num[0] -= first.Num[0]
			one.s.Do([]risk.Command{whole})
			two.s.Do([]risk.Command{first})
			if rest.Num[0] > 0 {
				two.s.Do([]risk.Command{rest})
			}
			if one.owesElsewhere(slot) || two.owesElsewhere(slot) {
				continue
			}
			one.settle(slot)
			two.settle(slot)
			var a, b risk.AccountView
			one.s.ReadAccount(slot, &a)
			two.s.ReadAccount(slot, &b)
			count++
			for i, pair := range [][2]risk.Amount{
				{a.Margin.NetBalance, b.Margin.NetBalance},
				{a.Margin.Available, b.Margin.Available},
				{a.Margin.AvailableAfterMaint, b.Margin.AvailableAfterMaint},
				{a.Margin.MaintenanceMargin, b.Margin.MaintenanceMargin},
				{a.Margin.InitialRequirement, b.Margin.InitialRequirement},
				{a.Margin.CollateralLiquidation, b.Margin.CollateralLiquidation},
			} {
				if isBelow(pair[0], pair[1]) || isBelow(pair[1], pair[0]) {
					t.Errorf("seed %d account %d figure %d: %s at once, %s in two parts", seed, slot, i, Text(pair[0]), Text(pair[1]))
				}
			}
		}
	}
	t.Logf("%d deposits", count)
}
