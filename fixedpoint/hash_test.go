package fixedpoint

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func hashOf(words ...uint64) Hash128 {
	m := NewMixer(0)
	for _, w := range words {
		m.U64(w)
	}
	return m.Sum()
}

// A change here changes the hash of every recorded state.
func TestHashesAreTheOnesOnRecord(t *testing.T) {
	m := NewMixer(7)
	m.U64(1)
	m.I128(I128(-2))
	m.Bytes([]byte("BTC-PERP"))
	m.Bytes([]byte("eth"))
	for _, c := range []struct {
		name      string
		got, want Hash128
	}{
		{"nothing", hashOf(), Hash128{0x48776EED38CFBFF4, 0x20AB7829358ADBD2}},
		{"zero", hashOf(0), Hash128{0x8D0B4BE2161D48DC, 0xFD6A5E5D4EC4AAD1}},
		{"a record", m.Sum(), Hash128{0x95B42C9B02AF512, 0x7F04EC2FDD86A2E1}},
	} {
		if c.got != c.want {
			t.Errorf("hash of %s = {%#x, %#x}, want {%#x, %#x}", c.name, c.got.Hi, c.got.Lo, c.want.Hi, c.want.Lo)
		}
	}
}

// Each bit of a word must turn each bit of the hash half of the time, wherever the word stands.
func TestEveryInputBitTurnsHalfOfTheHash(t *testing.T) {
	const samples = 4096
	for _, position := range []int{0, 1, 2} {
		prng := rand.New(rand.NewPCG(1, uint64(position)))
		var turned [64][128]int
		for range samples {
			words := []uint64{prng.Uint64() >> 32, prng.Uint64(), prng.Uint64N(4)}
			before := hashOf(words...)
			for in := range 64 {
				words[position] ^= 1 << in
				after := hashOf(words...)
				words[position] ^= 1 << in
				for out := range 64 {
					turned[in][out] += int((before.Hi ^ after.Hi) >> out & 1)
					turned[in][64+out] += int((before.Lo ^ after.Lo) >> out & 1)
				}
			}
		}
		const slack = samples / 20 // six standard deviations are samples/21
		for in := range turned {
			for out, count := range turned[in] {
				if count < samples/2-slack || count > samples/2+slack {
					t.Errorf("word %d bit %d turns hash bit %d in %d of %d", position, in, out, count, samples)
				}
			}
		}
	}
}

// No two small inputs may share even one half of their hashes: by chance that happens once in 2^24 runs.
func TestSmallInputsDoNotCollide(t *testing.T) {
	var hashes []Hash128
	for a := range uint64(512) {
		hashes = append(hashes, hashOf(a), hashOf((a+1)<<54))
		for b := range uint64(512) {
			hashes = append(hashes, hashOf(a, b))
		}
	}
	for count := range 100 { // zeros of every length
		hashes = append(hashes, hashOf(make([]uint64, count+3)...))
	}
	for seed := range uint64(1000) {
		m := NewMixer(seed + 1)
		hashes = append(hashes, m.Sum())
	}
	if n := collisions(hashes); n != 0 {
		t.Errorf("%d of %d word inputs collide", n, len(hashes))
	}

	hashes = hashes[:0]
	sum := func(b []byte) Hash128 { m := NewMixer(0); m.Bytes(b); return m.Sum() }
	for a := range 256 {
		hashes = append(hashes, sum([]byte{byte(a)}))
		for b := range 256 {
			hashes = append(hashes, sum([]byte{byte(a), byte(b)}))
		}
	}
	for length := range 256 {
		if length == 1 || length == 2 {
			continue // there already
		}
		hashes = append(hashes, sum(make([]byte, length)))
	}
	if n := collisions(hashes); n != 0 {
		t.Errorf("%d of %d byte inputs collide", n, len(hashes))
	}
}

// The state hash is a sum of record hashes; sums of few records must differ as well.
func TestSumsOfTwoHashesDoNotCollide(t *testing.T) {
	var hashes []Hash128
	for a := range uint64(600) {
		for b := range a {
			hashes = append(hashes, hashOf(a).Add(hashOf(b)))
		}
	}
	if n := collisions(hashes); n != 0 {
		t.Errorf("%d of %d sums collide", n, len(hashes))
	}
}

// collisions counts equal halves in excess of the first.
func collisions(hashes []Hash128) (count int) {
	highs, lows := make([]uint64, len(hashes)), make([]uint64, len(hashes))
	for i, h := range hashes {
		highs[i], lows[i] = h.Hi, h.Lo
	}
	slices.Sort(highs)
	slices.Sort(lows)
	for i := range len(hashes) - 1 {
		if highs[i] == highs[i+1] || lows[i] == lows[i+1] {
			count++
		}
	}
	return count
}

func TestOrderOfWordsCounts(t *testing.T) {
	if hashOf(1, 2) == hashOf(2, 1) {
		t.Error("two words in either order hash alike")
	}
	if hashOf(0) == hashOf(0, 0) || hashOf() == hashOf(0) {
		t.Error("zeros of different number hash alike")
	}
}

func TestSumLeavesTheMixerAsItIs(t *testing.T) {
	m := NewMixer(3)
	m.U64(1)
	first := m.Sum()
	if again := m.Sum(); again != first {
		t.Errorf("Sum twice gives %v, then %v", first, again)
	}
	m.U64(2)
	straight := NewMixer(3)
	straight.U64(1)
	straight.U64(2)
	if m.Sum() != straight.Sum() {
		t.Error("Sum between two words changes what follows")
	}
}

func TestBytesAreSplitByTheirLengths(t *testing.T) {
	one, two := NewMixer(0), NewMixer(0)
	one.Bytes([]byte("ab"))
	one.Bytes([]byte("c"))
	two.Bytes([]byte("a"))
	two.Bytes([]byte("bc"))
	if one.Sum() == two.Sum() {
		t.Error("ab+c and a+bc hash alike")
	}
	wide, narrow := NewMixer(0), NewMixer(0)
	wide.I128(Int128{Hi: -5, Lo: 9})
	narrow.U64(1<<64 - 5)
	narrow.U64(9)
	if wide.Sum() != narrow.Sum() {
		t.Error("I128 is not its two words, the high one first")
	}
}

func TestHashesAddInAnyOrderAndComeBack(t *testing.T) {
	forEachSeed(t, 1000, func(t *testing.T, prng *rand.Rand) {
		a, b, c := hashOf(prng.Uint64()), hashOf(prng.Uint64()), hashOf(prng.Uint64())
		if a.Add(b).Add(c) != c.Add(a).Add(b) {
			t.Errorf("the sum of %v, %v, %v depends on the order", a, b, c)
		}
		if got := a.Add(b).Sub(a); got != b {
			t.Errorf("a + b - a = %v, want %v", got, b)
		}
	})
}

// The state never loses information: given the word, a fold can be taken back.
func TestFoldCanBeUndone(t *testing.T) {
	inverse := uint64(1)
	for range 6 { // Newton: each round doubles the bits that are right
		inverse *= 2 - mixGolden*inverse
	}
	forEachSeed(t, 1000, func(t *testing.T, prng *rand.Rand) {
		before := Mixer{a: draw(prng), b: draw(prng)}
		v := draw(prng)
		after := before
		after.fold(v)
		x := (after.b ^ mixRoot5) * inverse
		hi, _ := bits.Mul64(x, mixGolden)
		undone := Mixer{a: x ^ v, b: bits.RotateLeft64(after.a, -29) - hi}
		if undone != before {
			t.Errorf("fold(%d) of %v undone gives %v", v, before, undone)
		}
	})
}
