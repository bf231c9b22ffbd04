package fixedpoint

import "math/bits"

// Uint128 is an unsigned 128-bit integer: a magnitude, or an index. Its value is Hi*2^64 + Lo, in [0,
// 2^128); unit and scale are the caller's. The zero value is 0, and == compares.
type Uint128 struct{ Hi, Lo uint64 }

// Add returns u+b modulo 2^128; AddChecked refuses to wrap.
func (u Uint128) Add(b Uint128) Uint128 {
	lo, carry := bits.Add64(u.Lo, b.Lo, 0)
	hi, _ := bits.Add64(u.Hi, b.Hi, carry)
	return Uint128{Hi: hi, Lo: lo}
}

// Sub returns u-b modulo 2^128; SubChecked refuses to wrap.
func (u Uint128) Sub(b Uint128) Uint128 {
	lo, borrow := bits.Sub64(u.Lo, b.Lo, 0)
	hi, _ := bits.Sub64(u.Hi, b.Hi, borrow)
	return Uint128{Hi: hi, Lo: lo}
}

// AddChecked returns u+b; ok is false when the sum does not fit.
func (u Uint128) AddChecked(b Uint128) (sum Uint128, ok bool) {
	sum = u.Add(b)
	if sum.less(u) {
		return Uint128{}, false
	}
	return sum, true
}

// SubChecked returns u-b; ok is false when b is larger than u.
func (u Uint128) SubChecked(b Uint128) (diff Uint128, ok bool) {
	if u.less(b) {
		return Uint128{}, false
	}
	return u.Sub(b), true
}

// Cmp returns -1, 0 or 1 as u is below, equal to or above b.
func (u Uint128) Cmp(b Uint128) int {
	switch {
	case u == b:
		return 0
	case u.less(b):
		return -1
	default:
		return 1
	}
}

// IsZero reports whether u is 0.
func (u Uint128) IsZero() bool { return u.Hi|u.Lo == 0 }

// Int128 returns u as a signed integer; ok is false when it does not fit, at 2^127 and above.
func (u Uint128) Int128() (v Int128, ok bool) { return u.signed(false) }

func (u Uint128) less(b Uint128) bool { return u.Hi < b.Hi || u.Hi == b.Hi && u.Lo < b.Lo }

// signed puts the sign back on a magnitude; ok is false when the number does not fit, from 2^127 for a
// positive number and above 2^127 for a negative one.
func (u Uint128) signed(isNegative bool) (v Int128, ok bool) {
	v = Int128{Hi: int64(u.Hi), Lo: u.Lo}
	if isNegative {
		v = v.Neg()
		return v.orZero(v.Hi < 0 || u.IsZero())
	}
	return v.orZero(v.Hi >= 0)
}

// orZero keeps the promise that the value beside ok=false is zero.
func (a Int128) orZero(ok bool) (Int128, bool) {
	if !ok {
		return Int128{}, false
	}
	return a, true
}

// mul192 returns the exact product a*b of at most 192 bits: top above low.
func mul192(a Uint128, b uint64) (top uint64, low Uint128) {
	carry, lo := bits.Mul64(a.Lo, b)
	top, mid := bits.Mul64(a.Hi, b)
	mid, overflow := bits.Add64(mid, carry, 0)
	return top + overflow, Uint128{Hi: mid, Lo: lo}
}

// mul256 returns the exact product a*b of at most 256 bits: high above low.
func mul256(a, b Uint128) (high, low Uint128) {
	low = product(a.Lo, b.Lo)
	high = product(a.Hi, b.Hi)
	upper, lower := product(a.Hi, b.Lo), product(a.Lo, b.Hi)
	var carry uint64
	low.Hi, carry = bits.Add64(low.Hi, upper.Lo, 0)
	high.Lo, carry = bits.Add64(high.Lo, upper.Hi, carry)
	high.Hi += carry
	low.Hi, carry = bits.Add64(low.Hi, lower.Lo, 0)
	high.Lo, carry = bits.Add64(high.Lo, lower.Hi, carry)
	high.Hi += carry
	return high, low
}

func product(a, b uint64) Uint128 {
	hi, lo := bits.Mul64(a, b)
	return Uint128{Hi: hi, Lo: lo}
}

// div192 divides top*2^128 + low by d. The caller holds top < d, so that the quotient fits.
func div192(top uint64, low Uint128, d uint64) (quo Uint128, rem uint64) {
	if top == 0 && low.Hi < d { // one division instead of two; sums of notionals end here
		quo.Lo, rem = bits.Div64(low.Hi, low.Lo, d)
		return quo, rem
	}
	quo.Hi, rem = bits.Div64(top, low.Hi, d)
	quo.Lo, rem = bits.Div64(rem, low.Lo, d)
	return quo, rem
}

// div256 divides high*2^128 + low by d. The caller holds high < d, so that the quotient fits.
func div256(high, low, d Uint128) (quo, rem Uint128) {
	if d.Hi == 0 { // then high < d < 2^64
		quo, rem.Lo = div192(high.Lo, low, d.Lo)
		return quo, rem
	}
	// Shift until the divisor's top bit is set: then a word of the quotient is guessed at most 2 too high.
	// A shift by 64 is 0 in Go, so that 64-shift needs no case of its own.
	shift := uint(bits.LeadingZeros64(d.Hi))
	d = d.lsh(shift)
	high = Uint128{
		Hi: high.Hi<<shift | high.Lo>>(64-shift),
		Lo: high.Lo<<shift | low.Hi>>(64-shift),
	}
	low = low.lsh(shift)
	quo.Hi, rem = div3by2(high, low.Hi, d)
	quo.Lo, rem = div3by2(rem, low.Lo, d)
	return quo, Uint128{Hi: rem.Hi >> shift, Lo: rem.Hi<<(64-shift) | rem.Lo>>shift}
}

// div3by2 divides high*2^64 + low by d. The caller holds high < d and d's top bit set. It is one step of
// Algorithm D of Knuth, The Art of Computer Programming, volume 2, section 4.3.1, for a divisor of two
// words, where the guess is tried against the whole divisor and so becomes exact.
func div3by2(high Uint128, low uint64, d Uint128) (quo uint64, rem Uint128) {
	var left, carry uint64 // what the guess leaves of the two upper words
	if high.Hi >= d.Hi {   // equal, as high < d: the guess would be 2^64, one more than a word holds
		quo = 1<<64 - 1
		left, carry = bits.Add64(high.Lo, d.Hi, 0)
	} else {
		quo, left = bits.Div64(high.Hi, high.Lo, d.Hi)
	}
	used := product(quo, d.Lo)
	rest := Uint128{Hi: left, Lo: low}
	for carry == 0 && rest.less(used) { // twice at most
		quo--
		used = used.Sub(Uint128{Lo: d.Lo})
		rest.Hi, carry = bits.Add64(rest.Hi, d.Hi, 0)
	}
	return quo, rest.Sub(used)
}

// lsh shifts left by fewer than 64 bits.
func (u Uint128) lsh(count uint) Uint128 {
	return Uint128{Hi: u.Hi<<count | u.Lo>>(64-count), Lo: u.Lo << count}
}
