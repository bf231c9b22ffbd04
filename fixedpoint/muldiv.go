package fixedpoint

import "math/bits"

// MulDivFloor returns a*b/d rounded toward minus infinity, with a 128-bit intermediate. ok is false when
// the quotient does not fit in 64 bits or d is not positive.
func MulDivFloor(a, b, d int64) (quotient int64, ok bool) {
	isNegative := a^b < 0
	mag, rem, ok := mulDiv64(a, b, d)
	if rem != 0 && isNegative {
		mag++
	}
	return signed64(mag, isNegative, ok)
}

// MulDivCeil returns a*b/d rounded toward plus infinity, with a 128-bit intermediate. ok is false when the
// quotient does not fit in 64 bits or d is not positive.
func MulDivCeil(a, b, d int64) (quotient int64, ok bool) {
	isNegative := a^b < 0
	mag, rem, ok := mulDiv64(a, b, d)
	if rem != 0 && !isNegative {
		mag++
	}
	return signed64(mag, isNegative, ok)
}

// mulDiv64 returns the magnitude of a*b/d rounded toward zero, with room for one more.
func mulDiv64(a, b, d int64) (mag, rem uint64, ok bool) {
	hi, lo := bits.Mul64(abs64(a), abs64(b))
	if d <= 0 || hi >= uint64(d) {
		return 0, 0, false
	}
	mag, rem = bits.Div64(hi, lo, uint64(d))
	return mag, rem, mag <= 1<<63
}

// signed64 puts the sign back on a magnitude of at most 2^63 + 1.
func signed64(mag uint64, isNegative, ok bool) (int64, bool) {
	limit := uint64(1<<63 - 1)
	if isNegative {
		limit++
	}
	if !ok || mag > limit {
		return 0, false
	}
	if isNegative {
		return -int64(mag), true // 2^63 is the least int64 and its own negative
	}
	return int64(mag), true
}

// DivFloor returns a/d rounded toward minus infinity; it always fits. It panics unless d > 0.
func (a Int128) DivFloor(d int64) Int128 {
	mag, rem := a.divMagnitude(d)
	if rem != 0 && a.Hi < 0 {
		mag = mag.Add(Uint128{Lo: 1})
	}
	return mag.withSignOf(a)
}

// DivCeil returns a/d rounded toward plus infinity; it always fits. It panics unless d > 0.
func (a Int128) DivCeil(d int64) Int128 {
	mag, rem := a.divMagnitude(d)
	if rem != 0 && a.Hi >= 0 {
		mag = mag.Add(Uint128{Lo: 1})
	}
	return mag.withSignOf(a)
}

// DivTrunc returns a/d rounded toward zero; it always fits. It panics unless d > 0.
func (a Int128) DivTrunc(d int64) Int128 {
	mag, _ := a.divMagnitude(d)
	return mag.withSignOf(a)
}

func (a Int128) divMagnitude(d int64) (mag Uint128, rem uint64) {
	if d <= 0 {
		panic("fixedpoint: BUG: divisor is not positive")
	}
	return div192(0, a.Abs(), uint64(d))
}

// withSignOf puts the sign of a on a magnitude that is known to fit: at most |a|, as divisors are at least
// 1 and a quotient that was rounded away from zero had a divisor of at least 2.
func (u Uint128) withSignOf(a Int128) Int128 {
	v := Int128{Hi: int64(u.Hi), Lo: u.Lo}
	if a.Hi < 0 {
		return v.Neg()
	}
	return v
}

// MulDivFloor returns a*b/d rounded toward minus infinity, with a 192-bit intermediate. ok is false when
// the quotient does not fit or d is not positive.
func (a Int128) MulDivFloor(b, d int64) (quotient Int128, ok bool) {
	mag, rem, ok := a.mulDivMagnitude(b, d)
	isNegative := a.Hi^b < 0
	return mag.rounded(rem != 0 && isNegative, isNegative, ok)
}

// MulDivCeil returns a*b/d rounded toward plus infinity, with a 192-bit intermediate. ok is false when the
// quotient does not fit or d is not positive.
func (a Int128) MulDivCeil(b, d int64) (quotient Int128, ok bool) {
	mag, rem, ok := a.mulDivMagnitude(b, d)
	isNegative := a.Hi^b < 0
	return mag.rounded(rem != 0 && !isNegative, isNegative, ok)
}

func (a Int128) mulDivMagnitude(b, d int64) (mag Uint128, rem uint64, ok bool) {
	top, low := mul192(a.Abs(), abs64(b))
	if d <= 0 || top >= uint64(d) {
		return Uint128{}, 0, false
	}
	mag, rem = div192(top, low, uint64(d))
	return mag, rem, true
}

// MulDivFloor128 returns a*b/d rounded toward minus infinity, with a 256-bit intermediate. ok is false when
// the quotient does not fit or d is 0.
func (a Int128) MulDivFloor128(b, d Int128) (quotient Int128, ok bool) {
	mag, rem, ok := mulDiv128(a.Abs(), b.Abs(), d.Abs())
	isNegative := a.Hi^b.Hi^d.Hi < 0
	return mag.rounded(!rem.IsZero() && isNegative, isNegative, ok)
}

// MulDivCeil128 returns a*b/d rounded toward plus infinity, with a 256-bit intermediate. ok is false when
// the quotient does not fit or d is 0.
func (a Int128) MulDivCeil128(b, d Int128) (quotient Int128, ok bool) {
	mag, rem, ok := mulDiv128(a.Abs(), b.Abs(), d.Abs())
	isNegative := a.Hi^b.Hi^d.Hi < 0
	return mag.rounded(!rem.IsZero() && !isNegative, isNegative, ok)
}

// mulDiv128 returns a*b/d rounded toward zero and the remainder; ok is false when the quotient is 2^128 or
// more, or d is 0.
func mulDiv128(a, b, d Uint128) (quo, rem Uint128, ok bool) {
	high, low := mul256(a, b)
	if !high.less(d) {
		return Uint128{}, Uint128{}, false
	}
	quo, rem = div256(high, low, d)
	return quo, rem, true
}

// rounded finishes a quotient: one more when isAway, then the sign. It passes on ok=false.
func (u Uint128) rounded(isAway, isNegative, ok bool) (Int128, bool) {
	if isAway {
		if u, ok = u.increment(ok); !ok {
			return Int128{}, false
		}
	}
	if !ok {
		return Int128{}, false
	}
	return u.signed(isNegative)
}

// increment returns u+1; it passes on ok=false, and is false itself when u is the largest Uint128.
func (u Uint128) increment(ok bool) (Uint128, bool) {
	u = u.Add(Uint128{Lo: 1})
	return u, ok && !u.IsZero()
}
