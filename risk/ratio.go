package risk

import "plimsoll/fixedpoint"

// divHalfEven returns num x scale / den rounded to the nearest, ties to even; den > 0.
// The quotient of twice the value tells which half it lies in, its ceiling whether it
// lies exactly between.
func divHalfEven(num, scale, den i128) (i128, bool) {
	twice, ok := num.MulDivFloor128(scale.Add(scale), den)
	if !ok {
		return i128{}, false
	}
	q := twice.DivFloor(2)
	if twice.Lo&1 == 0 {
		return q, true
	}
	above, ok := num.MulDivCeil128(scale.Add(scale), den)
	if !ok {
		return i128{}, false
	}
	if above != twice || q.Lo&1 == 1 {
		q = q.Add(fixedpoint.I128(1))
	}
	return q, true
}

const ratioOne = 10_000_000_000 // 1.0 of a reported ratio, at 1e-10

// ratioE10 returns requirement/value at 1e-10, rounded half even; isInfinite when the
// value is at or below zero while something is required.
func ratioE10(requirement, value i128) (ratio i128, isInfinite bool) {
	if requirement.Sign() <= 0 {
		return i128{}, false
	}
	if value.Sign() <= 0 {
		return i128{}, true
	}
	ratio, ok := divHalfEven(requirement, fixedpoint.I128(ratioOne), value)
	return ratio, !ok
}
