package fixedpoint

// Index is a compounding index at scale 10^27, held in 128 bits: what one scaled unit of a balance is
// worth. 1.0 is 10^27 and the largest is about 3.4e11. A balance is kept scaled, so that interest moves the
// index and not every account: value = scaled * index. The zero value is no index; start from IndexOne.
type Index struct{ U Uint128 }

// The scale 10^27 is 2^27 * 5^27, and 5^27 fits in 63 bits: to divide by it is to shift by 27 and divide by
// one word.
const (
	indexTwos    = 27
	indexFives   = 7450580596923828125 // 5^27
	indexScaleHi = 0x33B2E3C           // 10^27 / 2^64
	indexScaleLo = 0x9FD0803CE8000000  // 10^27 mod 2^64
	indexLowTwos = 1<<indexTwos - 1
)

// IndexOne returns the index 1.0.
func IndexOne() Index { return Index{U: indexScale()} }

func indexScale() Uint128 { return Uint128{Hi: indexScaleHi, Lo: indexScaleLo} }

// ValueFloor returns scaled*index, in the unit of scaled, rounded toward minus infinity. ok is false when
// scaled is negative or the value does not fit.
func (x Index) ValueFloor(scaled Int128) (value Int128, ok bool) {
	mag, _, ok := x.value(scaled)
	return mag.rounded(false, false, ok)
}

// ValueCeil returns scaled*index, in the unit of scaled, rounded toward plus infinity. ok is false when
// scaled is negative or the value does not fit.
func (x Index) ValueCeil(scaled Int128) (value Int128, ok bool) {
	mag, isExact, ok := x.value(scaled)
	return mag.rounded(!isExact, false, ok)
}

// value returns scaled*index rounded down, and whether nothing was lost.
func (x Index) value(scaled Int128) (mag Uint128, isExact, ok bool) {
	if scaled.Hi == 0 {
		// The product has 192 bits, the quotient of its shift by 5^27 fits as 2^(64-27) < 5^27. Balances
		// end here.
		top, low := mul192(x.U, scaled.Lo)
		mag, rem := div192(top>>indexTwos, shiftTwos(top, low), indexFives)
		return mag, rem|low.Lo&indexLowTwos == 0, true
	}
	if scaled.Hi < 0 {
		return Uint128{}, false, false
	}
	return divIndexScale(mul256(x.U, Uint128{Hi: uint64(scaled.Hi), Lo: scaled.Lo}))
}

// divIndexScale divides high*2^128 + low by 10^27, rounded down; ok is false when the quotient is 2^128 or
// more.
func divIndexScale(high, low Uint128) (mag Uint128, isExact, ok bool) {
	if !high.less(indexScale()) {
		return Uint128{}, false, false
	}
	// As high < 10^27, its shift is below 5^27: one word.
	top := high.Hi<<(64-indexTwos) | high.Lo>>indexTwos
	mag, rem := div192(top, shiftTwos(high.Lo, low), indexFives)
	return mag, rem|low.Lo&indexLowTwos == 0, true
}

// shiftTwos returns the lower 128 bits of top*2^128 + low shifted right by 27.
func shiftTwos(top uint64, low Uint128) Uint128 {
	return Uint128{
		Hi: top<<(64-indexTwos) | low.Hi>>indexTwos,
		Lo: low.Hi<<(64-indexTwos) | low.Lo>>indexTwos,
	}
}

// ScaledFloor returns value/index, in the unit of value, rounded toward minus infinity. ok is false when
// value is negative, the index is zero or the result does not fit.
func (x Index) ScaledFloor(value Int128) (scaled Int128, ok bool) {
	mag, _, ok := mulDiv128(value.Abs(), indexScale(), x.U)
	return mag.rounded(false, false, ok && value.Hi >= 0)
}

// ScaledCeil returns value/index, in the unit of value, rounded toward plus infinity. ok is false when
// value is negative, the index is zero or the result does not fit.
func (x Index) ScaledCeil(value Int128) (scaled Int128, ok bool) {
	mag, rem, ok := mulDiv128(value.Abs(), indexScale(), x.U)
	return mag.rounded(!rem.IsZero(), false, ok && value.Hi >= 0)
}

// GrowFloor returns the index times num/den, rounded toward minus infinity. ok is false unless num and den
// are positive and the index fits.
func (x Index) GrowFloor(num, den Int128) (grown Index, ok bool) {
	mag, _, ok := mulDiv128(x.U, num.Abs(), den.Abs())
	return indexOf(mag, false, ok && num.Sign() > 0 && den.Sign() > 0)
}

// GrowCeil returns the index times num/den, rounded toward plus infinity. ok is false unless num and den
// are positive and the index fits.
func (x Index) GrowCeil(num, den Int128) (grown Index, ok bool) {
	mag, rem, ok := mulDiv128(x.U, num.Abs(), den.Abs())
	return indexOf(mag, !rem.IsZero(), ok && num.Sign() > 0 && den.Sign() > 0)
}

// CompoundFloor returns the index times a factor at scale 10^27, as ExpFactor gives it, rounded toward
// minus infinity: for supply. ok is false when the factor is negative or the index does not fit.
func (x Index) CompoundFloor(factorE27 Int128) (grown Index, ok bool) {
	mag, _, ok := divIndexScale(mul256(x.U, factorE27.Abs()))
	return indexOf(mag, false, ok && factorE27.Hi >= 0)
}

// CompoundCeil returns the index times a factor at scale 10^27, as ExpFactor gives it, rounded toward plus
// infinity: for debt. ok is false when the factor is negative or the index does not fit.
func (x Index) CompoundCeil(factorE27 Int128) (grown Index, ok bool) {
	mag, isExact, ok := divIndexScale(mul256(x.U, factorE27.Abs()))
	return indexOf(mag, !isExact, ok && factorE27.Hi >= 0)
}

// indexOf finishes an index: one more when isAway. It passes on ok=false.
func indexOf(mag Uint128, isAway, ok bool) (Index, bool) {
	if isAway {
		mag, ok = mag.increment(ok)
	}
	if !ok {
		return Index{}, false
	}
	return Index{U: mag}, true
}
