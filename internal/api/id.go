package api

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"plimsoll/risk"
)

// Lengths of the id forms.
const (
	hexIDBytes  = 34 // 0x and 32 digits
	uuidBytes   = 36
	uintIDBytes = 20
)

// parseID reads an id in one of its three lower-case forms; FormNone means none of them.
func parseID(s []byte) (hi, lo uint64, form risk.IDForm) {
	switch {
	case len(s) == hexIDBytes && s[0] == '0' && s[1] == 'x':
		hi, isHexHi := hex16(s[2:])
		lo, isHexLo := hex16(s[18:])
		if !isHexHi || !isHexLo {
			return 0, 0, risk.FormNone
		}
		return hi, lo, risk.FormHex
	case len(s) == uuidBytes:
		return parseUUID(s)
	default:
		return parseUintID(s)
	}
}

// parseUintID reads an unsigned 64-bit integer without leading zeros: first the digits
// that are over, then eight at a step.
func parseUintID(s []byte) (hi, lo uint64, form risk.IDForm) {
	if len(s) == 0 || len(s) > uintIDBytes || s[0] == '0' && len(s) > 1 {
		return 0, 0, risk.FormNone
	}
	over, text := len(s)%8, uint64(0)
	if over >= 4 { // two halves that overlap
		le := binary.LittleEndian
		text = uint64(le.Uint32(s)) | uint64(le.Uint32(s[over-4:over]))<<(8*uint(over-4))
	} else {
		for i := over - 1; i >= 0; i-- {
			text = text<<8 | uint64(s[i])
		}
	}
	lo, isDigits := dec8(text<<(64-8*uint(over)) | '0'*bytesLow>>(8*uint(over)))
	for i := over; i < len(s) && isDigits; i += 8 {
		var digits, carry uint64
		digits, isDigits = dec8(load64(s, i))
		hi, lo = bits.Mul64(lo, 1e8)
		lo, carry = bits.Add64(lo, digits, 0)
		isDigits = isDigits && hi|carry == 0
	}
	if !isDigits {
		return 0, 0, risk.FormNone
	}
	return 0, lo, risk.FormUint
}

// dec8 reads eight digits out of a word, the first one in the lowest byte ("Quickly
// parsing eight digits", Lemire, 2018).
func dec8(w uint64) (v uint64, ok bool) {
	w ^= '0' * bytesLow
	ok = (w+(0x80-10)*bytesLow|w)&bytesHigh == 0
	w = w*10 + w>>8 // bytes 0, 2, 4, 6 hold the pairs
	const pairs = 0xff000000ff
	return ((w&pairs)*(100+1000000<<32) + (w>>16&pairs)*(1+10000<<32)) >> 32, ok
}

func parseUUID(s []byte) (hi, lo uint64, form risk.IDForm) {
	le := binary.LittleEndian
	if len(s) != uuidBytes || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, 0, risk.FormNone
	}
	a, b := load64(s, 0), uint64(le.Uint32(s[9:]))|uint64(le.Uint32(s[14:]))<<32
	c, e := uint64(le.Uint32(s[19:]))|uint64(le.Uint32(s[24:]))<<32, load64(s, 28)
	if (hexMarks(a)&hexMarks(b)&hexMarks(c)&hexMarks(e))&bytesHigh != bytesHigh {
		return 0, 0, risk.FormNone
	}
	return hex8(a)<<32 | hex8(b), hex8(c)<<32 | hex8(e), risk.FormUUID
}

// hex16 reads 16 lower-case hex digits.
func hex16(s []byte) (v uint64, ok bool) {
	a, b := load64(s, 0), load64(s, 8)
	if hexMarks(a)&hexMarks(b)&bytesHigh != bytesHigh {
		return 0, false
	}
	return hex8(a)<<32 | hex8(b), true
}

// hexMarks sets the top bit of each byte that is a lower-case hex digit: 0x30 to 0x39, or
// 0x61 to 0x66. Each range test adds so that the top bit tells, which needs bytes below
// 0x80.
func hexMarks(w uint64) uint64 {
	digit := (w + (0x80-'0')*bytesLow) &^ (w + (0x7f-'9')*bytesLow)
	letter := (w + (0x80-'a')*bytesLow) &^ (w + (0x7f-'f')*bytesLow)
	return (digit | letter) &^ w
}

// hex8 reads eight hex digits out of a word, the first one in the lowest byte.
func hex8(w uint64) uint64 {
	w = w&(0x0f*bytesLow) + w>>6&bytesLow*9 // letters have bit 6
	w = (w<<4 | w>>8) & 0x00ff00ff00ff00ff
	w = (w<<8 | w>>16) & 0x0000ffff0000ffff
	return w&0xffff<<16 | w>>32
}

// appendID writes an id in the form in which it was given, without quotes.
func appendID(dst []byte, hi, lo uint64, form risk.IDForm) []byte {
	switch form {
	case risk.FormUint:
		return strconv.AppendUint(dst, lo, 10)
	case risk.FormHex:
		return appendHex(appendHex(append(dst, "0x"...), hi, 16), lo, 16)
	case risk.FormUUID:
		dst = append(appendHex(dst, hi>>32, 8), '-')
		dst = append(appendHex(dst, hi>>16, 4), '-')
		dst = append(appendHex(dst, hi, 4), '-')
		dst = append(appendHex(dst, lo>>48, 4), '-')
		return appendHex(dst, lo, 12)
	default:
		return dst
	}
}

// appendHex writes the lowest digits of v in lower case.
func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, "0123456789abcdef"[v>>(4*uint(i))&15])
	}
	return dst
}
