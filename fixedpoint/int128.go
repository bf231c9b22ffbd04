package fixedpoint

import (
	"math/bits"
	"unsafe"
)

// Int128 is a signed two's complement 128-bit integer, the accumulator of sums of products and the balance
// type. Its value is Hi*2^64 + Lo, in [-2^127, 2^127); unit and scale are the caller's. The zero value is
// 0, and == compares.
type Int128 struct {
	Hi int64
	Lo uint64
}

var _ [16]byte = [unsafe.Sizeof(Int128{})]byte{} // four to a cache line

// I128 returns v, widened exactly.
func I128(v int64) Int128 { return Int128{Hi: v >> 63, Lo: uint64(v)} }

// Mul64 returns the exact product a*b; it always fits.
func Mul64(a, b int64) Int128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// A negative factor was read as 2^64 more than it is: take the other factor off the high word.
	hi -= uint64(a>>63)&uint64(b) + uint64(b>>63)&uint64(a)
	return Int128{Hi: int64(hi), Lo: lo}
}

// MinI128 returns the smaller of a and b.
func MinI128(a, b Int128) Int128 {
	if b.Less(a) {
		return b
	}
	return a
}

// MaxI128 returns the larger of a and b.
func MaxI128(a, b Int128) Int128 {
	if a.Less(b) {
		return b
	}
	return a
}

// Add returns a+b modulo 2^128; AddChecked refuses to wrap.
func (a Int128) Add(b Int128) Int128 {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b.Hi), carry)
	return Int128{Hi: int64(hi), Lo: lo}
}

// Sub returns a-b modulo 2^128; SubChecked refuses to wrap.
func (a Int128) Sub(b Int128) Int128 {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	hi, _ := bits.Sub64(uint64(a.Hi), uint64(b.Hi), borrow)
	return Int128{Hi: int64(hi), Lo: lo}
}

// AddChecked returns a+b; ok is false when the sum does not fit.
func (a Int128) AddChecked(b Int128) (sum Int128, ok bool) {
	sum = a.Add(b)
	// The sum overflowed when its sign differs from the signs of both terms.
	if (a.Hi^sum.Hi)&(b.Hi^sum.Hi) < 0 {
		return Int128{}, false
	}
	return sum, true
}

// SubChecked returns a-b; ok is false when the difference does not fit.
func (a Int128) SubChecked(b Int128) (diff Int128, ok bool) {
	diff = a.Sub(b)
	if (a.Hi^b.Hi)&(a.Hi^diff.Hi) < 0 {
		return Int128{}, false
	}
	return diff, true
}

// Neg returns -a modulo 2^128: the least Int128, -2^127, is its own negative.
func (a Int128) Neg() Int128 { return Int128{}.Sub(a) }

// Abs returns the magnitude of a, which always fits.
func (a Int128) Abs() Uint128 {
	sign := uint64(a.Hi >> 63) // all ones when a is negative
	lo, borrow := bits.Sub64(a.Lo^sign, sign, 0)
	hi, _ := bits.Sub64(uint64(a.Hi)^sign, sign, borrow)
	return Uint128{Hi: hi, Lo: lo}
}

// Sign returns -1, 0 or 1 as a is below, at or above zero.
func (a Int128) Sign() int {
	if a.Hi < 0 {
		return -1
	}
	if a.Hi == 0 && a.Lo == 0 {
		return 0
	}
	return 1
}

// Cmp returns -1, 0 or 1 as a is below, equal to or above b.
func (a Int128) Cmp(b Int128) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	default:
		return 1
	}
}

// Less reports whether a < b.
func (a Int128) Less(b Int128) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// IsZero reports whether a is 0.
func (a Int128) IsZero() bool { return uint64(a.Hi)|a.Lo == 0 }

// Int64 returns a as an int64; ok is false when it does not fit.
func (a Int128) Int64() (v int64, ok bool) {
	if a.Hi != int64(a.Lo)>>63 {
		return 0, false
	}
	return int64(a.Lo), true
}

// MulInt64 returns the product a*b; ok is false when it does not fit.
func (a Int128) MulInt64(b int64) (product Int128, ok bool) {
	if v, fits := a.Int64(); fits {
		return Mul64(v, b), true
	}
	top, low := mul192(a.Abs(), abs64(b))
	if top != 0 {
		return Int128{}, false
	}
	return low.signed(a.Hi^b < 0)
}

// String returns a in decimal digits without a scale, for messages; it allocates.
func (a Int128) String() string {
	var digits [digits128Max + 1]byte
	dst := digits[:0]
	if a.Hi < 0 {
		dst = append(dst, '-')
	}
	return string(a.Abs().appendDigits(dst))
}

// abs64 returns the magnitude of v, which always fits.
func abs64(v int64) uint64 {
	sign := uint64(v >> 63)
	return (uint64(v) ^ sign) - sign
}
