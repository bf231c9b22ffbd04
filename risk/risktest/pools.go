package risktest

import (
	"plimsoll/risk"
)

// ReadPools returns the pool of every token that has one, by token slot.
func (o *Oracle) ReadPools() map[uint32]risk.PoolView {
	out := map[uint32]risk.PoolView{}
	for _, slot := range keys(o.tokens) {
		if t := o.tokens[slot]; t.pool != nil {
			out[slot] = t.poolView()
		}
	}
	return out
}

// poolView values a pool; rates and utilisation print at 10 decimals, half even.
func (t *token) poolView() risk.PoolView {
	p := t.pool
	supply, debt := p.supplyValue(), p.debtValue()
	return risk.PoolView{
		TotalSupplied: amount(supply, t.wei), TotalBorrowed: amount(debt, t.wei), Buffer: amount(p.buffer, t.wei),
		Balance:     amount(add(sub(supply, debt), p.buffer), t.wei),
		Utilization: amount(divHalfEven(p.utilization(), pow10(8)), 10),
		BorrowRate:  amount(divHalfEven(t.borrowRate(), of(100)), 10),
		SupplyRate:  amount(divHalfEven(t.supplyRate(), of(100)), 10),
		SupplyIndex: amount(p.supplyIndex, 27), BorrowIndex: amount(p.debtIndex, 27),
	}
}
