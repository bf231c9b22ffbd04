package fixedpoint

// DigitsMax is the number of decimal digits that every int64 can hold: the limit of a Decimal's digits and
// decimals.
const DigitsMax = 18

// digits128Max is the number of decimal digits of the largest Uint128; every power of ten up to one digit
// less fits an Int128.
const digits128Max = 39

// powersOfTen[n] is 10^n.
//
//nolint:gochecknoglobals // a table that nobody writes; Go has no constant arrays.
var powersOfTen = [DigitsMax + 1]int64{
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
	100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
	100000000000000000, 1000000000000000000,
}

// Pow10 returns 10^n. It panics for n above DigitsMax: a scale is chosen by the program, never by data.
func Pow10(n uint8) int64 {
	if n > DigitsMax {
		panic("fixedpoint: BUG: power of ten above 18")
	}
	return powersOfTen[n]
}

// MulPow10 returns a*10^n; ok is false when the product does not fit. Any n is welcome: above 38 only 0
// fits.
func (a Int128) MulPow10(n uint8) (product Int128, ok bool) {
	if a.IsZero() {
		return a, true
	}
	for ; n > DigitsMax; n -= DigitsMax {
		if a, ok = a.MulInt64(powersOfTen[DigitsMax]); !ok {
			return Int128{}, false
		}
	}
	return a.MulInt64(powersOfTen[n])
}

// Rescale returns the mantissa of the same number at `to` decimals instead of `from`. It is exact: ok is
// false when digits would be lost or the result does not fit.
func Rescale(mantissa int64, from, to uint8) (rescaled int64, ok bool) {
	switch {
	case from == to || mantissa == 0:
		return mantissa, true
	case from > to:
		drop := from - to
		if drop > DigitsMax || mantissa%powersOfTen[drop] != 0 {
			return 0, false // of 19 digits or fewer, 19 cannot all be zeros
		}
		return mantissa / powersOfTen[drop], true
	case to-from > DigitsMax:
		return 0, false
	default:
		return Mul64(mantissa, powersOfTen[to-from]).Int64()
	}
}

// Rescale128 returns the mantissa of the same number at `to` decimals instead of `from`. It is exact: ok is
// false when digits would be lost or the result does not fit.
func Rescale128(mantissa Int128, from, to uint8) (rescaled Int128, ok bool) {
	if from <= to || mantissa.IsZero() {
		return mantissa.MulPow10(to - min(from, to))
	}
	mag := mantissa.Abs()
	for drop := from - to; drop > 0; {
		step := min(drop, DigitsMax)
		quo, rem := div192(0, mag, uint64(powersOfTen[step]))
		if rem != 0 {
			return Int128{}, false // reached within three steps, as mag is not 0
		}
		mag = quo
		drop -= step
	}
	return mag.withSignOf(mantissa), true
}

// RoundDecimal128HalfEven returns the number v/10^from at `to` decimals, rounded to the nearest, ties to
// the even neighbour; it always fits. It panics when to > from: it drops digits and never makes them.
func RoundDecimal128HalfEven(v Int128, from, to uint8) Int128 {
	if to > from {
		panic("fixedpoint: BUG: rounding to more decimals than there are")
	}
	drop := from - to
	if drop >= digits128Max {
		return Int128{} // 10^39 is more than twice the largest magnitude
	}
	d := pow10u128(drop)
	mag, rem := div256(Uint128{}, v.Abs(), d)
	switch rem.Cmp(d.Sub(rem)) {
	case 1:
		mag = mag.Add(Uint128{Lo: 1})
	case 0:
		mag = mag.Add(Uint128{Lo: mag.Lo & 1})
	}
	return mag.withSignOf(v)
}

// truncateDecimals drops the last `drop` digits of v, toward zero; any number of digits may go.
func (u Uint128) truncateDecimals(drop uint8) Uint128 {
	if drop >= digits128Max {
		return Uint128{}
	}
	quo, _ := div256(Uint128{}, u, pow10u128(drop))
	return quo
}

// pow10u128 returns 10^n for n <= 38.
func pow10u128(n uint8) Uint128 {
	low := min(n, DigitsMax)
	mid := min(n-low, DigitsMax)
	p := product(uint64(powersOfTen[low]), uint64(powersOfTen[mid]))
	_, p = mul192(p, uint64(powersOfTen[n-low-mid]))
	return p
}
