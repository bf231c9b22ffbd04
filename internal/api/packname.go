package api

import (
	"encoding/binary"

	"plimsoll/risk"
)

// An address, 0x and 40 lower-case hex digits, is kept as its 20 bytes: with a million
// accounts that is 22 MB less, and half the bytes to hash and compare.
const (
	packedBytes = 20
	addressMark = 0x80 // in the length byte of a packed name
)

// packName returns the form a name is kept in, and its length byte.
func packName(name []byte, scratch *[packedBytes]byte) (kept []byte, length uint8) {
	if len(name) != addressBytes || name[0] != '0' || name[1] != 'x' {
		return name, uint8(len(name))
	}
	a, b, c, d, e := load64(name, 2), load64(name, 10), load64(name, 18), load64(name, 26), load64(name, 34)
	if hexMarks(a)&hexMarks(b)&hexMarks(c)&hexMarks(d)&hexMarks(e)&bytesHigh != bytesHigh {
		return name, uint8(len(name))
	}
	be := binary.BigEndian
	be.PutUint64(scratch[:], hex8(a)<<32|hex8(b))
	be.PutUint64(scratch[8:], hex8(c)<<32|hex8(d))
	be.PutUint32(scratch[16:], uint32(hex8(e)))
	return scratch[:], packedBytes | addressMark
}

// unpackName returns the text of a kept name: itself, unless it is a packed address.
func unpackName(kept []byte, length uint8) []byte {
	if length&addressMark == 0 {
		return kept
	}
	const digits = "0123456789abcdef"
	text := make([]byte, 0, risk.NameMax)
	text = append(text, '0', 'x')
	for _, b := range kept {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return text
}
