package api

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// marginTable is one row of the venue's marginTables.
type marginTable struct {
	id          uint32
	description string
	tiers       []risk.TierView
}

// venueTables are the tables of the venue's main dex (spec 2.2): a perp whose tiers are
// one of these carries its id.
var venueTables = [...]struct {
	id          uint32
	description string
	leverage    [2]uint16
	lowerBound  int64
}{
	{51, "tiered 10x", [2]uint16{10, 5}, 3_000_000},
	{52, "tiered 10x (2)", [2]uint16{10, 5}, 20_000_000},
	{53, "tiered 20x", [2]uint16{20, 10}, 40_000_000},
	{54, "tiered 20x (2)", [2]uint16{20, 10}, 70_000_000},
	{55, "tiered 25x", [2]uint16{25, 15}, 100_000_000},
	{56, "tiered 40x", [2]uint16{40, 20}, 150_000_000},
}

// ownTableStart is the first id of tables that the venue does not have.
const ownTableStart = 57

// singleTier is the table that the venue lists for single tiers.
const singleTier = 50

// marginTables returns the tables of more than one tier that perps use, in order of id.
// Tables of one tier have their leverage as id and need no row.
func marginTables(perps []risk.PerpView) []marginTable {
	var venue [len(venueTables)]bool
	var own []marginTable
	tables := []marginTable{{id: singleTier, tiers: []risk.TierView{{MaxLeverage: singleTier}}}}
	for i := range perps {
		tiers := perps[i].Tiers
		if len(tiers) < 2 {
			continue
		}
		if n := venueTable(tiers); n >= 0 {
			venue[n] = true
			continue
		}
		isKnown := false
		for j := range own {
			isKnown = isKnown || isSameTiers(own[j].tiers, tiers)
		}
		if !isKnown {
			own = append(own, marginTable{id: ownTableStart + uint32(len(own)), description: "tiered", tiers: tiers})
		}
	}
	for n, isUsed := range venue {
		if v := &venueTables[n]; isUsed {
			tables = append(tables, marginTable{id: v.id, description: v.description, tiers: tiersOf(n)})
		}
	}
	return append(tables, own...)
}

func tiersOf(n int) []risk.TierView {
	v := &venueTables[n]
	return []risk.TierView{
		{MaxLeverage: v.leverage[0]},
		{MaxLeverage: v.leverage[1], LowerBound: risk.Amount{V: fixedpoint.I128(v.lowerBound)}},
	}
}

// venueTable returns the index into venueTables of a tier table, or -1.
func venueTable(tiers []risk.TierView) int {
	for n := range venueTables {
		if isSameTiers(tiers, tiersOf(n)) {
			return n
		}
	}
	return -1
}

func isSameTiers(a, b []risk.TierView) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].MaxLeverage != b[i].MaxLeverage || !isSameAmount(a[i].LowerBound, b[i].LowerBound) {
			return false
		}
	}
	return true
}

// isSameAmount compares two amounts by what they print.
func isSameAmount(a, b risk.Amount) bool {
	var x, y [64]byte
	return string(appendAmount(x[:0], a)) == string(appendAmount(y[:0], b))
}

// tableID returns the marginTableId of a perp.
func (l *listing) tableID(p *risk.PerpView) uint32 {
	if len(p.Tiers) < 2 {
		return uint32(p.MaxLeverage)
	}
	for i := range l.tables {
		if isSameTiers(l.tables[i].tiers, p.Tiers) {
			return l.tables[i].id
		}
	}
	return 0
}

// table returns the table of an id; ids up to singleTier are single tiers of that leverage.
func (l *listing) table(id uint32) (marginTable, bool) {
	if id >= 1 && id <= singleTier {
		return marginTable{id: id, tiers: []risk.TierView{{MaxLeverage: uint16(id)}}}, true
	}
	for i := range l.tables {
		if l.tables[i].id == id {
			return l.tables[i], true
		}
	}
	return marginTable{}, false
}
