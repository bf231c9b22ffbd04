package risk

import "plimsoll/fixedpoint"

// Named limits of the totals.
const (
	TotalsLargest   = 10   // largest holders named per market
	TotalsDistances = 100  // one-percent steps of distance from the line
	NearestMax      = 1000 // accounts nearest to their line that one pass can name

	HeatUnexposed = TotalsDistances     // in a row of Heat: no cross requirement
	HeatBeyond    = TotalsDistances + 1 // past the line
)

// TotalsView is what a pass over all accounts gives, as of one Seq: of one shard, or of
// several after Add. MODEL.md §10 defines every figure. Money is in units of the
// numeraire, at Decimals.
type TotalsView struct {
	Seq      uint64
	TimeMs   int64
	Decimals uint8

	Accounts    uint64
	Positions   uint64            // open ones
	Equity      fixedpoint.Int128 // everything owned less everything owed
	NetBalance  fixedpoint.Int128 // without collateral: N, or the dexes' value in standard mode
	Notional    fixedpoint.Int128
	Initial     fixedpoint.Int128 // requirement, resting orders included
	Maintenance fixedpoint.Int128
	Health      [HealthCount]uint64
	Lending     [LendingHealthCount]uint64
	Negative    uint64 // accounts with an equity below zero somewhere

	Distances [TotalsDistances]Exposure // [n]: at least n %, less than n+1 % away from the line
	Beyond    Exposure                  // past it
	Unexposed Exposure                  // no cross requirement
	// Heat is the same by health; its last two steps are HeatUnexposed and HeatBeyond.
	Heat   [HealthCount][TotalsDistances + 2]Exposure
	WhatIf *WhatIf // of a pass under a shock, or nil

	Tokens  []TokenTotals  // by slot
	Markets []MarketTotals // by perp slot
	Nearest []Nearest      // worst first, after Add; at most NearestLimit
	// NearestLimit is how many accounts were asked for.
	NearestLimit int
}

// LendingHealthCount is how many lending health states there are.
const LendingHealthCount = LendingBackstopLiquidatable + 1

// Exposure is a number of accounts and the notional they hold.
type Exposure struct {
	Accounts uint64
	Notional fixedpoint.Int128
}

// Add returns the sum of two.
func (x Exposure) Add(o Exposure) Exposure {
	return Exposure{Accounts: x.Accounts + o.Accounts, Notional: x.Notional.Add(o.Notional)}
}

func (x *Exposure) add(o Exposure) { *x = x.Add(o) }

// TokenTotals is where a token's units stand, and where they came from (ruling 14).
type TokenTotals struct {
	IsListed bool
	HasPool  bool
	Decimals uint8

	IdleCash     fixedpoint.Int128 // of wallets
	PerpCash     fixedpoint.Int128 // of dexes' cross books
	IsolatedCash fixedpoint.Int128 // of isolated positions
	PoolCash     fixedpoint.Int128
	Buffer       fixedpoint.Int128 // part of PoolCash and of what borrowers owe
	Fees         fixedpoint.Int128
	Clearing     fixedpoint.Int128 // the opposite of Σ positions
	External     fixedpoint.Int128 // deposits less withdrawals

	supply, debt           i128 // Σ over accounts, scaled by the indices
	pool                   Totals
	supplyIndex, debtIndex index
}

// Held returns where a token's units stand: accounts, pool, fees and clearing.
func (t *TokenTotals) Held() fixedpoint.Int128 {
	return t.IdleCash.Add(t.PerpCash).Add(t.IsolatedCash).Add(t.PoolCash).Add(t.Fees).Add(t.Clearing)
}

// Difference returns what came in less where it stands: the solvency identity, always 0.
func (t *TokenTotals) Difference() fixedpoint.Int128 { return t.External.Sub(t.Held()) }

// AccountSums returns Σ supply and Σ debt over the accounts, valued as the pool's own sums
// are: supply rounded down, debt up, once each. They equal PoolSums, always.
func (t *TokenTotals) AccountSums() (supply, debt fixedpoint.Int128) {
	return t.valued(Totals{Supply: t.supply, Debt: t.debt})
}

// PoolSums returns the pool's own sums of supply and debt.
func (t *TokenTotals) PoolSums() (supply, debt fixedpoint.Int128) { return t.valued(t.pool) }

// Dust returns debt + cash - supply - buffer of the pool: what rounding left (MODEL.md §5).
func (t *TokenTotals) Dust() fixedpoint.Int128 {
	supply, debt := t.PoolSums()
	return debt.Add(t.PoolCash).Sub(supply).Sub(t.Buffer)
}

func (t *TokenTotals) valued(sums Totals) (supply, debt i128) {
	if !t.HasPool {
		return supply, debt
	}
	p := pool{supplyIndex: t.supplyIndex, debtIndex: t.debtIndex}
	s := p.sumsOf(sums)
	return s.supply, s.debt
}

// add adds another shard's part; what all shards share is there already.
func (t *TokenTotals) add(o *TokenTotals) {
	t.IdleCash, t.PerpCash = t.IdleCash.Add(o.IdleCash), t.PerpCash.Add(o.PerpCash)
	t.IsolatedCash, t.PoolCash = t.IsolatedCash.Add(o.IsolatedCash), t.PoolCash.Add(o.PoolCash)
	t.Fees, t.Clearing, t.External = t.Fees.Add(o.Fees), t.Clearing.Add(o.Clearing), t.External.Add(o.External)
	t.supply, t.debt, t.pool = t.supply.Add(o.supply), t.debt.Add(o.debt), t.pool.Add(o.pool)
}

// MarketTotals is a perp's open interest and who holds most of it.
type MarketTotals struct {
	IsListed     bool
	SizeDecimals uint8
	Decimals     uint8 // of notionals: those of the collateral token
	Long         fixedpoint.Int128
	Short        fixedpoint.Int128 // positive
	Holders      uint64

	LargestCount int
	Largest      [TotalsLargest]Holding // by notional, then account
}

// Holding is one account's position in a market.
type Holding struct {
	Account  uint32
	Size     int64 // signed
	Notional fixedpoint.Int128
}

func (h *Holding) isLarger(o *Holding) bool {
	if c := h.Notional.Cmp(o.Notional); c != 0 {
		return c > 0
	}
	return h.Account < o.Account
}

// hold keeps a holding if it is among the largest.
func (t *MarketTotals) hold(h *Holding) {
	at := t.LargestCount
	if at == TotalsLargest {
		if !h.isLarger(&t.Largest[at-1]) {
			return
		}
		at--
	} else {
		t.LargestCount++
	}
	for ; at > 0 && h.isLarger(&t.Largest[at-1]); at-- {
		t.Largest[at] = t.Largest[at-1]
	}
	t.Largest[at] = *h
}

func (t *MarketTotals) add(o *MarketTotals) {
	t.Long, t.Short, t.Holders = t.Long.Add(o.Long), t.Short.Add(o.Short), t.Holders+o.Holders
	for i := range o.LargestCount {
		t.hold(&o.Largest[i])
	}
}

// Add adds another shard's part of the same pass.
func (v *TotalsView) Add(o *TotalsView) {
	if v.Seq != o.Seq || len(v.Tokens) != len(o.Tokens) || len(v.Markets) != len(o.Markets) {
		panic("risk: BUG: totals of different places are added")
	}
	v.Accounts, v.Positions, v.Negative = v.Accounts+o.Accounts, v.Positions+o.Positions, v.Negative+o.Negative
	v.Equity, v.NetBalance, v.Notional = v.Equity.Add(o.Equity), v.NetBalance.Add(o.NetBalance), v.Notional.Add(o.Notional)
	v.Initial, v.Maintenance = v.Initial.Add(o.Initial), v.Maintenance.Add(o.Maintenance)
	for i := range v.Health {
		v.Health[i] += o.Health[i]
	}
	for i := range v.Lending {
		v.Lending[i] += o.Lending[i]
	}
	for i := range v.Distances {
		v.Distances[i].add(o.Distances[i])
	}
	v.Beyond.add(o.Beyond)
	v.Unexposed.add(o.Unexposed)
	for i := range v.Heat {
		for n := range v.Heat[i] {
			v.Heat[i][n].add(o.Heat[i][n])
		}
	}
	if v.WhatIf != nil {
		v.WhatIf.add(o.WhatIf)
	}
	for i := range v.Tokens {
		v.Tokens[i].add(&o.Tokens[i])
	}
	for i := range v.Markets {
		v.Markets[i].add(&o.Markets[i])
	}
	for i := range o.Nearest {
		v.nearer(&o.Nearest[i])
	}
}
