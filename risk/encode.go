package risk

import (
	"encoding/binary"

	"plimsoll/fixedpoint"
)

// The captured form is compact: varints, signed ones zigzag, little-endian where fixed.
// A record starts with four bytes, its length without them and above 24 bits its format;
// a section with eight: its length without them, tag, format, two zeros.
const (
	recordHead        = 4
	recordVersion     = 1
	recordVersionSale = 2 // with the liquidator's sale behind the rest: written only where there is one
	sectionHead       = 8
	sharedVersion     = 2 // of the shared section: with the backstop's parameters at its end
	wideMark          = 1 // of an amount beyond 62 bits: 16 bytes follow
	varintMax         = binary.MaxVarintLen64
	wideMax           = 17 // bytes of an amount
)

func appendUint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendInt(dst []byte, v int64) []byte { return appendUint(dst, uint64(v)<<1^uint64(v>>63)) }

// appendWide appends an amount: a varint of its zigzag form times two, or the mark of a
// wide one.
func appendWide(dst []byte, v i128) []byte {
	if small, ok := v.Int64(); ok && small < 1<<61 && small >= -1<<61 {
		return appendUint(dst, (uint64(small)<<1^uint64(small>>63))<<1)
	}
	dst = appendUint(dst, wideMark)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Hi))
	return binary.LittleEndian.AppendUint64(dst, v.Lo)
}

func appendBool(dst []byte, v bool) []byte { return append(dst, byte(bit(v))) }

// appendText appends a name: one byte of length, then its bytes.
func appendText(dst []byte, s string) []byte {
	return append(append(dst, byte(len(s))), s...)
}

// openSection starts a section of a tag; closeSection writes its length at where it began.
func openSection(dst []byte, tag byte) []byte {
	return append(dst, 0, 0, 0, 0, tag, sectionVersion(tag), 0, 0)
}

// sectionVersion returns the format that sections of a tag are written in: the newest that is
// read.
func sectionVersion(tag byte) byte {
	if tag == tagShared {
		return sharedVersion
	}
	return recordVersion
}

func closeSection(dst []byte, at int) []byte {
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-sectionHead))
	return dst
}

// scanner reads the captured form. Once something is wrong it stays so and gives zeros, so
// that a reader need ask only where it is about to act on what it read.
type scanner struct {
	b     []byte
	isBad bool
}

// fail notes that what was read cannot be.
func (s *scanner) fail() { s.isBad, s.b = true, nil }

// bound fails unless v is within most, and returns it.
func (s *scanner) bound(v, most uint64) uint64 {
	if v > most {
		s.fail()
		return 0
	}
	return v
}

// bound32 is bound for numbers of 32 bits.
func (s *scanner) bound32(most uint32) uint32 { return uint32(s.bound(s.uint(), uint64(most))) }

func (s *scanner) uint() uint64 {
	if len(s.b) > 0 && s.b[0] < 0x80 {
		v := s.b[0]
		s.b = s.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(s.b)
	if n <= 0 {
		s.fail()
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) int() int64 {
	v := s.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (s *scanner) byte() byte {
	if len(s.b) == 0 {
		s.fail()
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return v
}

func (s *scanner) bool() bool { return s.bound(uint64(s.byte()), 1) == 1 }

func (s *scanner) word() uint64 {
	if len(s.b) < 8 {
		s.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(s.b)
	s.b = s.b[8:]
	return v
}

func (s *scanner) wide() i128 {
	v := s.uint()
	if v&1 == 0 {
		return fixedpoint.I128(int64(v>>2) ^ -int64(v>>1&1))
	}
	if v != wideMark {
		s.fail()
	}
	hi := s.word()
	return i128{Hi: int64(hi), Lo: s.word()}
}

func (s *scanner) text() string {
	n := int(s.byte())
	if n > NameMax || n > len(s.b) {
		s.fail()
		return ""
	}
	v := string(s.b[:n])
	s.b = s.b[n:]
	return v
}

// within reads a number and fails unless it lies between least and most.
func (s *scanner) within(least, most int64) int64 {
	v := s.int()
	if v < least || v > most {
		s.fail()
		return 0
	}
	return v
}

// head reads the head of a record.
func (s *scanner) head() (length int, version byte) {
	if len(s.b) < recordHead {
		s.fail()
		return 0, 0
	}
	v := binary.LittleEndian.Uint32(s.b)
	s.b = s.b[recordHead:]
	return int(v & recordLengthMax), byte(v >> 24)
}

// section opens a section that must fill b.
func section(b []byte, tag byte) (scanner, error) {
	switch {
	case len(b) < sectionHead || b[4] != tag || b[6]|b[7] != 0,
		uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)-sectionHead):
		return scanner{}, errDamaged
	case b[5] == 0 || b[5] > sectionVersion(tag):
		return scanner{}, errVersion
	}
	return scanner{b: b[sectionHead:]}, nil
}

// close reports damage, or bytes left over.
func (s *scanner) close() error {
	if s.isBad || len(s.b) > 0 {
		return errDamaged
	}
	return nil
}
