package api

import (
	"encoding/binary"
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
		var ok bool
		if hi, ok = hex16(s[2:]); !ok {
			return 0, 0, risk.FormNone
		}
		if lo, ok = hex16(s[18:]); !ok {
			return 0, 0, risk.FormNone
		}
		return hi, lo, risk.FormHex
	case len(s) == uuidBytes:
		return parseUUID(s)
	case len(s) == 0 || len(s) > uintIDBytes || s[0] == '0' && len(s) > 1:
		return 0, 0, risk.FormNone
	}
	for i, c := range s {
		digit := uint64(c) - '0'                                        // wraps around below '0'
		if digit > 9 || i == uintIDBytes-1 && lo > (1<<64-1-digit)/10 { // 19 digits always fit
			return 0, 0, risk.FormNone
		}
		lo = lo*10 + digit
	}
	return 0, lo, risk.FormUint
}

func parseUUID(s []byte) (hi, lo uint64, form risk.IDForm) {
	le := binary.LittleEndian
	if len(s) != uuidBytes || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, 0, risk.FormNone
	}
	a, isHexA := hex8(le.Uint64(s))
	b, isHexB := hex8(uint64(le.Uint32(s[9:])) | uint64(le.Uint32(s[14:]))<<32)
	c, isHexC := hex8(uint64(le.Uint32(s[19:])) | uint64(le.Uint32(s[24:]))<<32)
	d, isHexD := hex8(le.Uint64(s[28:]))
	if !(isHexA && isHexB && isHexC && isHexD) {
		return 0, 0, risk.FormNone
	}
	return a<<32 | b, c<<32 | d, risk.FormUUID
}

// hex16 reads 16 lower-case hex digits.
func hex16(s []byte) (v uint64, ok bool) {
	hi, isHexHi := hex8(binary.LittleEndian.Uint64(s))
	lo, isHexLo := hex8(binary.LittleEndian.Uint64(s[8:]))
	return hi<<32 | lo, isHexHi && isHexLo
}

// hex8 reads eight lower-case hex digits out of a word at once; the first digit is in the
// lowest byte. A byte is a digit when 0x30 to 0x39, or 0x61 to 0x66: each range test adds
// so that the top bit tells, which needs bytes below 0x80.
func hex8(w uint64) (v uint64, ok bool) {
	digit := (w + (0x80-'0')*bytesLow) &^ (w + (0x7f-'9')*bytesLow)
	letter := (w + (0x80-'a')*bytesLow) &^ (w + (0x7f-'f')*bytesLow)
	if (digit|letter)&^w&bytesHigh != bytesHigh {
		return 0, false
	}
	v = w&(0x0f*bytesLow) + (letter&bytesHigh)>>7*9 // values 0 to 15, one a byte
	v = v<<4&0x00f000f000f000f0 | v>>8&0x000f000f000f000f
	v = v&0x000000ff000000ff<<8 | v>>16&0x000000ff000000ff
	return v&0xffff<<16 | v>>32&0xffff, true
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
