package risktest

import (
	"fmt"
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Checker holds the invariants that must be true after every group, on any number of
// shards.
type Checker struct {
	shards   *Shards
	accounts []uint32 // opened, in order of opening

	hash    fixedpoint.Hash128 // as of the group before
	debt    []whole            // by pool, as of the group before
	pools   []risk.TokenView   // tokens with a pool, valued over all shards
	totals  []risk.Totals
	dustMax []whole // by pool: what rounding can have left so far
	told    map[uint32]risk.Health
	forced  map[uint32]bool // accounts that a fill or an import may have left negative
	view    risk.AccountView
}

// NewChecker returns a checker of fresh machines.
func NewChecker(s *Shards) *Checker {
	return &Checker{shards: s, hash: s.StateHash(), told: map[uint32]risk.Health{}, forced: map[uint32]bool{}}
}

// Accounts returns the slots opened so far.
func (k *Checker) Accounts() []uint32 { return k.accounts }

// After checks every invariant after a group and its events; nil means all hold. It must
// see every group.
func (k *Checker) After(group []risk.Command, events []risk.Event) error {
	reason, kind, hash := events[0].Reason, group[0].Kind, k.shards.StateHash()
	if reason != risk.ReasonNone && hash != k.hash {
		return fmt.Errorf("refused for %v, yet the state changed", reason)
	}
	k.hash = hash
	if reason == risk.ReasonNone && (kind == risk.KindOpenAccount || kind == risk.KindImportAccount) {
		k.accounts = append(k.accounts, group[0].Account())
		k.forced[group[0].Account()] = kind == risk.KindImportAccount // as it stands elsewhere
	}
	for i := range events {
		if events[i].Kind == risk.EventHealthChanged {
			k.told[events[i].Account] = events[i].To
		}
	}
	k.valuePools()
	if err := k.ledgers(); err != nil {
		return err
	}
	if err := k.poolsHold(events); err != nil {
		return err
	}
	if err := k.capsHold(kind, events); err != nil {
		return err
	}
	return k.accountsHold(kind, group, events)
}

// valuePools values every pool over all shards, keeping the debts of the group before.
func (k *Checker) valuePools() {
	k.debt = k.debt[:0]
	for i := range k.pools {
		k.debt = append(k.debt, fromInt128(k.pools[i].Pool.TotalBorrowed.V))
	}
	k.totals, k.pools = k.shards.Totals(), k.pools[:0]
	for _, t := range k.shards.Machines[0].ReadTokens(k.totals) {
		if t.HasPool {
			k.pools = append(k.pools, t)
		}
	}
	for len(k.debt) < len(k.pools) {
		k.debt = append(k.debt, of(0))
	}
}

// ledgers: what came in of a token is what stands somewhere, exactly.
func (k *Checker) ledgers() error {
	var external, held []fixedpoint.Int128
	for _, m := range k.shards.Machines {
		for i, id := range m.ReadIdentities() {
			if i == len(external) {
				external, held = append(external, fixedpoint.Int128{}), append(held, fixedpoint.Int128{})
			}
			external[i], held[i] = external[i].Add(id.External), held[i].Add(id.Held)
		}
	}
	for i := range external {
		if external[i] != held[i] {
			return fmt.Errorf("token %d: %v came in, %v is held", i, external[i], held[i])
		}
	}
	return nil
}

// poolsHold: supply + buffer = debt + cash less a dust that only rounding feeds: every
// lending of an account leaves less than one scaled unit, that is one index, behind.
func (k *Checker) poolsHold(events []risk.Event) error {
	for n := range k.pools {
		t := &k.pools[n]
		if n == len(k.dustMax) {
			k.dustMax = append(k.dustMax, of(4))
		}
		index := add(fromInt128(t.Pool.BorrowIndex.V), fromInt128(t.Pool.SupplyIndex.V))
		index = add(divCeil(index, pow10(27)), of(2))
		for i := range events {
			if isLending(events[i].Kind) && events[i].Token == t.Slot {
				k.dustMax[n] = add(k.dustMax[n], index)
			}
			if events[i].Kind == risk.EventResult { // imports lend without telling
				k.dustMax[n] = add(k.dustMax[n], index)
			}
		}
		cash := fromInt128(k.totals[n].Cash) // pools of tokens come before those of perps here
		dust := sub(add(cash, fromInt128(t.Pool.TotalBorrowed.V)), fromInt128(t.Pool.TotalSupplied.V))
		dust = sub(dust, fromInt128(t.Pool.Buffer.V))
		if dust.Sign() < 0 || isLess(k.dustMax[n], dust) {
			return fmt.Errorf("%s: debt + cash - supply - buffer = %v, want 0 to %v", t.Name, dust, k.dustMax[n])
		}
		if t.Pool.Buffer.V.Sign() < 0 {
			return fmt.Errorf("%s: the buffer is negative", t.Name)
		}
	}
	return nil
}

func isLending(kind risk.EventKind) bool {
	return kind == risk.EventSupplied || kind == risk.EventUnsupplied || kind == risk.EventBorrowed || kind == risk.EventRepaid
}

// capsHold: nothing that a command lends passes a cap, but what a fill left negative.
func (k *Checker) capsHold(kind risk.Kind, events []risk.Event) error {
	isFill := kind == risk.KindFill || kind == risk.KindTrade
	poolOf := func(slot uint32) int {
		return slices.IndexFunc(k.pools, func(t risk.TokenView) bool { return t.Slot == slot })
	}
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case risk.EventCapReached:
			k.forced[e.Account] = true
		case risk.EventSupplied:
			t := &k.pools[poolOf(e.Token)]
			if t.UserSupplyCap.V.Less(e.Amount2) || t.SupplyCap.V.Less(t.Pool.TotalSupplied.V) {
				return fmt.Errorf("account %d supplies %s beyond a cap", e.Account, t.Name)
			}
		case risk.EventBorrowed:
			if isFill || k.forced[e.Account] || e.Account == k.shards.Machines[0].Parameters().BackstopAccount {
				continue // the liquidator borrows what it must to pay
			}
			n := poolOf(e.Token)
			t := &k.pools[n]
			if t.UserBorrowCap.V.Add(fixedpoint.I128(2)).Less(e.Amount2) { // debt rounds up
				owed := Text(risk.Amount{V: e.Amount2, Decimals: e.Decimals})
				return fmt.Errorf("account %d owes %s %s, beyond its cap", e.Account, owed, t.Name)
			}
			isOver := t.BorrowCap.V.Add(fixedpoint.I128(2)).Less(t.Pool.TotalBorrowed.V)
			if isOver && isLess(k.debt[n], fromInt128(t.Pool.TotalBorrowed.V)) && len(k.forced) == 0 {
				return fmt.Errorf("%s is borrowed beyond the global cap", t.Name)
			}
		}
	}
	return nil
}

// accountsHold checks the views of the accounts that a group can have changed; after a
// tick, of all, and that each was told the band it stands in.
func (k *Checker) accountsHold(kind risk.Kind, group []risk.Command, events []risk.Event) error {
	isTick := kind == risk.KindPrices && events[0].Reason == risk.ReasonNone
	isTouched := map[uint32]bool{group[0].Account(): true, group[len(group)-1].Account(): true}
	if kind == risk.KindTransfer {
		isTouched[group[0].Other()] = true
	}
	for _, slot := range k.accounts {
		if !isTick && !isTouched[slot] || !k.shards.ReadAccount(slot, &k.view) {
			continue
		}
		if err := viewHolds(&k.view, k.shards.Machines[0].Parameters()); err != nil {
			return fmt.Errorf("account %d: %w", slot, err)
		}
		if isTick && k.told[slot] != k.view.Margin.Health {
			return fmt.Errorf("account %d stands %v, was told %v", slot, k.view.Margin.Health, k.told[slot])
		}
	}
	return nil
}

// viewHolds checks one account's figures against one another.
func viewHolds(v *risk.AccountView, p risk.Parameters) error {
	for _, b := range v.Balances {
		if v.Mode != risk.ModePortfolio && b.Hold.V.Sign() < 0 && b.Hold.V.Less(isolatedLoss(v)) {
			return fmt.Errorf("token %d: hold %s outside portfolio mode", b.Token, Text(b.Hold))
		}
		if b.Supplied.V.Sign() > 0 && b.Borrowed.V.Sign() > 0 {
			return fmt.Errorf("token %d: both lends and owes", b.Token)
		}
	}
	m := &v.Margin
	if v.Mode != risk.ModePortfolio || p.OffsetMode != risk.OffsetNone {
		return nil
	}
	required := m.MaintenanceMargin.V.Add(m.BorrowedForMaintenance.V)
	left := m.LiquidationValue.V.Sub(required) // PMR = 1 exactly where this is zero
	if required.Sign() > 0 && left != m.AvailableAfterMaint.V {
		return fmt.Errorf("liquidation value less requirement is %v, available after maintenance %v", left, m.AvailableAfterMaint.V)
	}
	isPast := left.Sign() < 0 || m.LiquidationValue.V.Sign() <= 0
	one := fixedpoint.I128(10_000_000_000)
	if required.Sign() > 0 && !m.RatioIsInfinite && isPast && m.PortfolioMarginRatio.V.Less(one) {
		return fmt.Errorf("ratio %s though less than nothing is left", Text(m.PortfolioMarginRatio))
	}
	return nil
}

// isolatedLoss returns what isolated equity below zero takes off a hold, at most.
func isolatedLoss(v *risk.AccountView) fixedpoint.Int128 {
	var sum fixedpoint.Int128
	for _, p := range v.Positions {
		if p.IsIsolated && p.MarginUsed.V.Sign() < 0 {
			sum = sum.Add(p.MarginUsed.V)
		}
	}
	return sum
}
