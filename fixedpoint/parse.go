package fixedpoint

import (
	"errors"
	"math/bits"
)

// The reasons why text is refused, in the order in which ParseDecimal looks for them.
var (
	ErrEmpty         = errors.New("fixedpoint: decimal is empty")
	ErrNotANumber    = errors.New("fixedpoint: decimal spells not-a-number or infinity")
	ErrExponent      = errors.New("fixedpoint: decimal has an exponent")
	ErrSyntax        = errors.New("fixedpoint: decimal is not of the form -?digits(.digits)?")
	ErrTooManyDigits = errors.New("fixedpoint: decimal has more than 18 digits or decimals")
)

// Decimal is a decimal number as the venue writes it: Mantissa / 10^Decimals, with at most DigitsMax digits
// in the mantissa and at most DigitsMax decimals. A parsed one has no trailing zero among its decimals, so
// that == compares.
type Decimal struct {
	Mantissa int64
	Decimals uint8
}

// shortTextMax is the length, without the sign, of the longest text that is read as it is: "0." and 18
// decimals. What is longer is either too long or ends in zero decimals.
const shortTextMax = 2 + DigitsMax

// ParseDecimal reads -?digits(.digits)? and nothing else: no exponent, no plus, no space, no leading zero
// but the one of "0.x", and a digit on each side of the point. The result is exact, without trailing zero
// decimals: "1.50" is 15 at 1 decimal, "-0" is 0. Text that is no number gives ErrEmpty, ErrNotANumber,
// ErrExponent or ErrSyntax; a number of more than DigitsMax digits or decimals, leading zeros and trailing
// zero decimals not counted, gives ErrTooManyDigits. It does not allocate.
func ParseDecimal(s []byte) (Decimal, error) {
	body := s
	isNegative := len(s) > 0 && s[0] == '-'
	if isNegative {
		body = s[1:]
	}
	if len(body) > shortTextMax {
		if body = dropZeroDecimals(body); len(body) > shortTextMax {
			return Decimal{}, refuse(s)
		}
	}
	mag, pointIdx := readDigits(0, body, 0)
	if pointIdx == 0 || body[0] == '0' && pointIdx > 1 {
		return Decimal{}, refuse(s)
	}
	decimals := 0
	if pointIdx < len(body) {
		var endIdx int
		mag, endIdx = readDigits(mag, body, pointIdx+1)
		decimals = endIdx - pointIdx - 1
		if body[pointIdx] != '.' || endIdx < len(body) || decimals == 0 {
			return Decimal{}, refuse(s)
		}
	}
	if mag == 0 {
		return Decimal{}, nil
	}
	for decimals > 0 && body[pointIdx+decimals] == '0' {
		mag /= 10
		decimals--
	}
	// An integer of 20 digits has wrapped mag around, so that its digits are counted.
	if mag >= uint64(powersOfTen[DigitsMax]) || pointIdx > DigitsMax {
		return Decimal{}, ErrTooManyDigits
	}
	if isNegative {
		return Decimal{Mantissa: -int64(mag), Decimals: uint8(decimals)}, nil
	}
	return Decimal{Mantissa: int64(mag), Decimals: uint8(decimals)}, nil
}

// ParseDecimalString is ParseDecimal for a string. It does not copy s: the compiler lends the bytes of a
// string to a function that neither keeps nor writes them.
func ParseDecimalString(s string) (Decimal, error) { return ParseDecimal([]byte(s)) }

// dropZeroDecimals cuts zeros off the end, as long as they stand behind a point and are not the first
// behind it.
func dropZeroDecimals(body []byte) []byte {
	pointIdx := 0
	for pointIdx < len(body) && body[pointIdx] != '.' {
		pointIdx++
	}
	end := len(body)
	for end > pointIdx+2 && body[end-1] == '0' {
		end--
	}
	return body[:end]
}

// readDigits reads the digits of body from startIdx on, eight at a step, and returns mag followed by them,
// modulo 2^64, and the index of the first byte that is no digit.
func readDigits(mag uint64, body []byte, startIdx int) (value uint64, endIdx int) {
	idx := startIdx
	if len(body) < 8 {
		for ; idx < len(body) && isDigit(body[idx]); idx++ {
			mag = mag*10 + uint64(body[idx]-'0')
		}
		return mag, idx
	}
	for len(body)-idx >= 8 {
		digits, count := leadingDigits(load64(body[idx:]))
		mag = mag*uint64(powersOfTen[count]) + digits
		idx += count
		if count < 8 {
			return mag, idx
		}
	}
	// Read the last eight bytes and shift out those that were read before; what comes in from above is no
	// digit.
	seen := uint(8 - (len(body) - idx))
	digits, count := leadingDigits(load64(body[len(body)-8:]) >> (8 * seen))
	return mag*uint64(powersOfTen[count]) + digits, idx + count
}

// leadingDigits returns the value and the count of the ASCII digits at the start of eight bytes of text.
// The value is made as in "Quickly parsing eight digits" (Lemire, 2018): pairs, then both halves of four by
// one product each.
func leadingDigits(text uint64) (value uint64, count int) {
	x := text ^ 0x3030303030303030 // a digit becomes 0 to 9
	// Adding 0x76 sets the top bit from 10 on. A carry only comes out of a byte that is marked itself, and
	// reaches only later bytes, so that the first mark is right.
	marks := (x + 0x7676767676767676 | x) & 0x8080808080808080
	count = bits.TrailingZeros64(marks) / 8
	x <<= 64 - 8*uint(count)      // the digits move to the end, zeros stand before them
	x = x*10 + x>>8               // bytes 0, 2, 4, 6 hold the pairs, in each the higher digit was first
	const lowBytes = 0xFF000000FF // one pair in each half
	return ((x&lowBytes)*(100+1000000<<32) + (x>>16&lowBytes)*(1+10000<<32)) >> 32, count
}

// load64 reads eight bytes, the first one lowest; the compiler makes it one load.
func load64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func isDigit(c byte) bool { return c-'0' < 10 }

// refuse says why ParseDecimal took no number from s.
//
//go:noinline
func refuse(s []byte) error {
	if len(s) == 0 {
		return ErrEmpty
	}
	if isNotANumber(s) {
		return ErrNotANumber
	}
	body := s
	if s[0] == '-' {
		body = s[1:]
	}
	_, pointIdx := readDigits(0, body, 0)
	end := pointIdx
	if pointIdx < len(body) && body[pointIdx] == '.' {
		_, end = readDigits(0, body, pointIdx+1)
	}
	switch {
	case pointIdx == 0 || body[end-1] == '.':
		return ErrSyntax
	case end < len(body) && body[end]|0x20 == 'e':
		return ErrExponent
	case end < len(body) || body[0] == '0' && pointIdx > 1:
		return ErrSyntax
	default:
		return ErrTooManyDigits
	}
}

// isNotANumber reports whether s is a spelling of NaN or an infinity, with or without a sign, in any case.
func isNotANumber(s []byte) bool {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	return equalFold(s, "nan") || equalFold(s, "inf") || equalFold(s, "infinity")
}

func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
