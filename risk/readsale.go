package risk

import "plimsoll/fixedpoint"

// SaleView is what the liquidator has taken over and is to sell; no items for any other account.
type SaleView struct {
	Number uint64 // what its orders and fills are known by
	Items  []SaleItem
}

// SaleItem is what is to be sold of one perp or one token.
type SaleItem struct {
	Perp   uint32 // NoSlot: of Token
	Token  uint32 // NoSlot: of Perp
	Left   Amount // of a perp: a signed size, as taken; never more than is held when it is next sold
	NextMs int64  // engine time of the next order
}

// readSale fills v with the sale of an account, reusing v's slice.
func (m *Machine) readSale(a *account, v *SaleView) {
	*v = SaleView{Items: v.Items[:0]}
	s := m.saleOf(a)
	if s == nil {
		return
	}
	v.Number = s.number
	for i := range s.rows {
		x := &s.rows[i]
		item := SaleItem{Perp: x.key, Token: NoSlot, NextMs: x.sinceMs + saleSliceMs}
		if x.key&SpotBit != 0 {
			item.Perp, item.Token = NoSlot, x.key&^SpotBit
			item.Left = exact(x.left, m.tokens[item.Token].wei)
		} else {
			item.Left = exact(x.left, m.perps[x.key].sz)
		}
		v.Items = append(v.Items, item)
	}
}

// SaleLeft returns what a sale still is to sell, the order that the event tells included; false for
// an event of no sale.
func (e *Event) SaleLeft() (Amount, bool) {
	return exact(fixedpoint.I128(int64(e.OrderHi)), e.Decimals), e.Kind == EventLiquidationOrder && e.Rule == RuleBackstopTWAP
}
