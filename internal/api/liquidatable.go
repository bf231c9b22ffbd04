package api

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Asset ids of the venue for perps of builder dexes (its documentation, page asset ids).
const (
	builderAssets = 100_000
	dexAssets     = 10_000
)

// assetOf returns the venue's asset id of a perp.
func (l *listing) assetOf(p *risk.PerpView) uint64 {
	for i := range l.dexes {
		if d := &l.dexes[i]; d.Slot == p.Dex && d.Index > 0 {
			return builderAssets + uint64(d.Index)*dexAssets + uint64(p.Index)
		}
	}
	return uint64(p.Index)
}

// infoLiquidatable answers liquidatable: the books below their line of accounts whose
// liquidation is under way, by account. marginAvailable is what a book is worth and what it
// must keep. Of what is margined together no reply of the venue is known: "cross" is ours.
func (s *Server) infoLiquidatable(dst []byte, l *listing) (reply []byte, seq uint64, fault *Error) {
	byShard := make([][]risk.LiquidatableView, s.shards)
	seq, err := s.engine.ReadAll(func(shard int, m *risk.Machine) { byShard[shard] = m.ReadLiquidatable(nil) })
	if err != nil {
		return dst, seq, unavailable(err)
	}
	all := slices.Concat(byShard...)
	slices.SortStableFunc(all, func(a, b risk.LiquidatableView) int { return cmp.Compare(a.Account, b.Account) })
	dst = append(dst, '[')
	for i := range all {
		v := &all[i]
		dst = appendTextField(append(appendSep(dst), '{'), "user", s.dir.AccountName(v.Account))
		dst = appendKey(dst, "positionIndex")
		if v.Perp == risk.NoSlot {
			dst = append(dst, `"cross"`...)
		} else {
			dst = append(appendUintField(append(dst, `{"isolated":{`...), "asset", l.assetOf(l.perp(v.Perp))), '}', '}')
		}
		dst = append(appendKey(dst, "marginAvailable"), '[')
		dst = fixedpoint.AppendDecimal128(dst, v.Value.V, v.Value.Decimals)
		dst = fixedpoint.AppendDecimal128(append(dst, ','), v.Requirement.V, v.Requirement.Decimals)
		dst = append(dst, ']', '}')
	}
	return append(dst, ']'), seq, nil
}
