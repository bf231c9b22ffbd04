package fixedpoint

import (
	"math/bits"
	"strconv"
)

// AppendDecimal appends mantissa/10^decimals to dst, exactly, without trailing zeros but with at least one
// decimal: "12500.0", "-0.5". It allocates only when dst has to grow.
func AppendDecimal(dst []byte, mantissa int64, decimals uint8) []byte {
	var buf [digits128Max]byte
	digits := strconv.AppendUint(buf[:0], abs64(mantissa), 10)
	return appendPoint(dst, digits, int(decimals), mantissa < 0)
}

// AppendDecimal128 appends v/10^decimals to dst, exactly, without trailing zeros but with at least one
// decimal. It allocates only when dst has to grow.
func AppendDecimal128(dst []byte, v Int128, decimals uint8) []byte {
	var buf [digits128Max]byte
	return appendPoint(dst, v.Abs().appendDigits(buf[:0]), int(decimals), v.Hi < 0)
}

// AppendDecimalPlaces128 appends v/10^decimals to dst with at most `places` decimals, truncated toward
// zero, without trailing zeros but with at least one decimal; places = 0 gives an integer without a point.
// What truncates to zero has no sign. It allocates only when dst has to grow.
func AppendDecimalPlaces128(dst []byte, v Int128, decimals, places uint8) []byte {
	mag := v.Abs()
	if decimals > places {
		mag = mag.truncateDecimals(decimals - places)
		decimals = places
	}
	var buf [digits128Max]byte
	digits := mag.appendDigits(buf[:0])
	isNegative := v.Hi < 0 && !mag.IsZero()
	if places > 0 {
		return appendPoint(dst, digits, int(decimals), isNegative)
	}
	if isNegative {
		dst = append(dst, '-')
	}
	return append(dst, digits...)
}

// appendPoint appends the digits of a number with the point set `decimals` digits from their end.
func appendPoint(dst, digits []byte, decimals int, isNegative bool) []byte {
	if isNegative {
		dst = append(dst, '-')
	}
	whole := len(digits) - decimals // how many digits stand before the point
	end := len(digits)
	for end > max(whole, 0) && digits[end-1] == '0' {
		end--
	}
	switch {
	case end <= max(whole, 0): // every decimal is zero
		if whole <= 0 {
			return append(dst, '0', '.', '0')
		}
		dst = append(dst, digits[:whole]...)
		return append(dst, '.', '0')
	case whole > 0:
		dst = append(dst, digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, digits[whole:end]...)
	default:
		dst = appendZeros(append(dst, '0', '.'), -whole)
		return append(dst, digits[:end]...)
	}
}

func appendZeros(dst []byte, count int) []byte {
	for range count {
		dst = append(dst, '0')
	}
	return dst
}

// chunkDigits is the number of decimal digits that are split off a Uint128 at a time: as many as fit in 64
// bits.
const chunkDigits = 19

// appendDigits appends u in decimal, at most digits128Max digits.
func (u Uint128) appendDigits(dst []byte) []byte {
	if u.Hi == 0 {
		return strconv.AppendUint(dst, u.Lo, 10)
	}
	const chunk = 10000000000000000000
	upper, low := div192(0, u, chunk)
	top, mid := div192(0, upper, chunk)
	if top.Lo == 0 {
		return appendChunk(strconv.AppendUint(dst, mid, 10), low)
	}
	dst = strconv.AppendUint(dst, top.Lo, 10)
	return appendChunk(appendChunk(dst, mid), low)
}

// appendChunk appends v < 10^19 with leading zeros.
func appendChunk(dst []byte, v uint64) []byte {
	return strconv.AppendUint(appendZeros(dst, chunkDigits-digitCount(v)), v, 10)
}

// digitCount returns the number of decimal digits of v < 10^19; 0 has one.
func digitCount(v uint64) int {
	guess := bits.Len64(v|1) * 1233 >> 12 // log10(2) is 0.30103, 1233/4096 is 0.30102
	if guess <= DigitsMax && v >= uint64(powersOfTen[guess]) {
		guess++
	}
	return max(guess, 1)
}
