package fixedpoint

import "math/bits"

// Hash128 is a 128-bit hash, and also a sum of hashes: as addition commutes, the hash of a set of records
// may be kept by adding the hash of what comes and subtracting the hash of what goes, in any order. It
// guards against faults, not against an enemy.
type Hash128 struct{ Hi, Lo uint64 }

// Add returns h+o modulo 2^128.
func (h Hash128) Add(o Hash128) Hash128 { return Hash128(Uint128(h).Add(Uint128(o))) }

// Sub returns h-o modulo 2^128; it takes back what Add put in.
func (h Hash128) Sub(o Hash128) Hash128 { return Hash128(Uint128(h).Sub(Uint128(o))) }

// Odd constants with their bits well spread: the fractions of the golden ratio and of the square roots of
// 2, 3 and 5, at 2^64.
const (
	mixGolden = 0x9E3779B97F4A7C15
	mixRoot2  = 0x6A09E667F3BCC909
	mixRoot3  = 0xBB67AE8584CAA73B
	mixRoot5  = 0x3C6EF372FE94F82B
)

// Mixer hashes a sequence of words and bytes, in order, into a Hash128. It holds 128 bits of state; each
// word is folded in by one product of 64 by 64 bits, and as the fold can be undone no two states ever fall
// together on one word. Copying a Mixer forks it. The zero value works but has no seed; use NewMixer.
type Mixer struct {
	a, b      uint64
	wordCount uint64
}

// NewMixer returns a Mixer that starts from seed; mixers of different seeds hash differently.
func NewMixer(seed uint64) Mixer {
	m := Mixer{a: mixRoot2, b: mixRoot3}
	m.fold(seed)
	return m
}

// U64 mixes one word.
func (m *Mixer) U64(v uint64) {
	m.fold(v)
	m.wordCount++
}

// I128 mixes v as two words, the high one first.
func (m *Mixer) I128(v Int128) {
	m.fold(uint64(v.Hi))
	m.fold(v.Lo)
	m.wordCount += 2
}

// Bytes mixes b and its length, so that the same bytes split differently hash differently.
func (m *Mixer) Bytes(b []byte) {
	m.U64(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		m.U64(load64(b))
	}
	if len(b) == 0 {
		return
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	m.U64(tail)
}

// Sum returns the hash of what was mixed so far. It leaves the Mixer as it is, so that more may follow.
func (m *Mixer) Sum() Hash128 {
	end := *m
	end.fold(m.wordCount)
	end.fold(mixRoot2)
	end.fold(mixRoot5)
	hi := avalanche(end.a + end.b)
	lo := avalanche(end.b + bits.RotateLeft64(hi, 32))
	return Hash128{Hi: hi, Lo: lo}
}

// fold takes in one word. Given v it can be undone: b gives the product's low word, so x, so the high word,
// so the old b. Two streams that part therefore meet again only if later words, 128 bits of them, happen to
// fit.
func (m *Mixer) fold(v uint64) {
	hi, lo := bits.Mul64(m.a^v, mixGolden)
	m.a, m.b = m.b+hi, lo^mixRoot5
	m.a = bits.RotateLeft64(m.a, 29)
}

// avalanche spreads every bit over the word: the finalizer of MurmurHash3, with the constants of "Better
// bit mixing" (Stafford, 2011), variant 13.
func avalanche(v uint64) uint64 {
	v ^= v >> 30
	v *= 0xBF58476D1CE4E5B9
	v ^= v >> 27
	v *= 0x94D049BB133111EB
	return v ^ v>>31
}
