package fixedpoint

import "github.com/holiman/uint256"

// Limits of ExpFactor.
const (
	RateE12Max = 100_000_000_000_000 // the largest yearly rate, 100.0 or 10,000 percent
	YearMs     = 31_536_000_000      // a year of 365 days, in milliseconds
)

// expFractionBits is the number of fraction bits of the series: terms and sums are numbers at 2^160.
const expFractionBits = 160

// ExpFactor returns exp(rate*dt/year) at scale 10^27, rounded down: what one unit of debt grows to in dt
// when interest compounds at every instant. rateE12 is a yearly nominal rate at 10^12 (5% is
// 50_000_000_000), in [0, RateE12Max]; dtMs is not negative. ok is false outside these ranges and when the
// factor is 2^127/10^27, about 1.7e11, or more.
//
// Error: with e the exact power at 10^27, the result is in (e - 1 - 2^-25, e]; it is the floor of e or,
// where e exceeds an integer by less than 2^-25, perhaps one less. At rate*dt = 0 it is 10^27 exactly.
//
// The argument is x = k*ln(2) + r with 0 <= r < ln(2), then exp(x) = 2^k * exp(r), with the Taylor series
// for exp(r). Count the losses, all downward, in units of 2^-160: x is cut by less than 1 and k*ln(2), with
// ln(2) rounded up and k <= 37, takes at most 37 too much, which exp(r) < 2 doubles to 76. A term loses
// less than 2 in its product and 1 in its division, and hands on at most r/n of what its predecessor lost,
// so that each of at most 42 terms is less than 4 short, 168 in all; the terms never summed are less than
// 8. That is less than 256 in all, of a sum of at least 2^160: a relative error below 2^-152, and 2^-25 of
// a unit of the result, which is below 2^127.
func ExpFactor(rateE12, dtMs int64) (factorE27 Int128, ok bool) {
	if rateE12 < 0 || rateE12 > RateE12Max || dtMs < 0 {
		return Int128{}, false
	}
	product := Mul64(rateE12, dtMs)                        // x at scale yearE12
	yearE12 := uint256.Int{0x91EA931C6EC00000, 0x6AD}      // YearMs * 10^12
	expLimit := Int128{Hi: 0xADA0, Lo: 0xD1D2F0E33F800000} // 26 * yearE12; exp(26) is 1.9e11
	ln2 := expLn2()
	scale := uint256.Int{indexScaleLo, indexScaleHi}
	if !product.Less(expLimit) {
		return Int128{}, false
	}
	r := uint256.Int{product.Lo, uint64(product.Hi)} // below 2^80
	r.Lsh(&r, expFractionBits)
	r.Div(&r, &yearE12)
	var doublings, whole uint256.Int
	doublings.Div(&r, &ln2)
	whole.Mul(&doublings, &ln2)
	r.Sub(&r, &whole)

	sum := expSeries(&r)  // in [2^160, 2^161)
	sum.Mul(&sum, &scale) // below 2^251
	sum.Rsh(&sum, uint(expFractionBits-doublings[0]))
	if sum[2]|sum[3] != 0 || sum[1] >= 1<<63 {
		return Int128{}, false
	}
	return Int128{Hi: int64(sum[1]), Lo: sum[0]}, true
}

// expLn2 returns ln(2) at 2^160, rounded up.
func expLn2() uint256.Int { return uint256.Int{0x3F2F6AF40F34327, 0xD1CF79ABC9E3B398, 0xB17217F7} }

// expSeries returns exp(r) rounded down, both at 2^160, for r < ln(2). The sum runs until a term is zero,
// at most 42 of them. A product of two numbers at 2^160 does not fit in 256 bits, so that r is taken in two
// halves of 80 bits.
func expSeries(r *uint256.Int) (sum uint256.Int) {
	const halfBits = expFractionBits / 2
	var upper, lower, part, count uint256.Int
	upper.Rsh(r, halfBits)
	lower.Lsh(&upper, halfBits)
	lower.Sub(r, &lower)
	sum.Lsh(sum.SetOne(), expFractionBits)
	for term := sum; !term.IsZero(); sum.Add(&sum, &term) {
		count.AddUint64(&count, 1)
		part.Mul(&term, &lower)
		part.Rsh(&part, expFractionBits)
		term.Mul(&term, &upper)
		term.Rsh(&term, halfBits)
		term.Add(&term, &part)
		term.Div(&term, &count)
	}
	return sum
}
