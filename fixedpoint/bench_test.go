package fixedpoint

import (
	"testing"

	"github.com/shopspring/decimal"
)

var benchTexts = []struct{ name, text string }{
	{"price", "60123.4"},
	{"long", "60123.45678901"},
	{"integer", "1500"},
	{"fraction", "0.000123"},
}

func BenchmarkParse(b *testing.B) {
	for _, c := range benchTexts {
		text := []byte(c.text)
		b.Run("ours/"+c.name, func(b *testing.B) {
			var d Decimal
			var err error
			b.ReportAllocs()
			for b.Loop() {
				d, err = ParseDecimal(text)
			}
			if got := string(AppendDecimal(nil, d.Mantissa, d.Decimals)); err != nil || got != c.text && got != c.text+".0" {
				b.Fatalf("%s, %v, want %s", got, err, c.text)
			}
		})
		b.Run("shopspring/"+c.name, func(b *testing.B) {
			var d decimal.Decimal
			var err error
			b.ReportAllocs()
			for b.Loop() {
				d, err = decimal.NewFromString(c.text)
			}
			if err != nil || d.String() != c.text {
				b.Fatalf("%v, %v, want %s", d, err, c.text)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	const want = "60123.45678901"
	b.Run("ours", func(b *testing.B) {
		dst := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendDecimal(dst[:0], 6012345678901, 8)
		}
		if string(dst) != want {
			b.Fatalf("%s, want %s", dst, want)
		}
	})
	b.Run("ours128", func(b *testing.B) {
		v := Mul64(1<<62, 1e15+1)
		dst := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendDecimal128(dst[:0], v, 8)
		}
		if string(dst) != "46116860184273925156860184.27387904" {
			b.Fatalf("%s", dst)
		}
	})
	b.Run("shopspring", func(b *testing.B) {
		d := decimal.New(6012345678901, -8)
		var s string
		b.ReportAllocs()
		for b.Loop() {
			s = d.String()
		}
		if s != want {
			b.Fatalf("%s, want %s", s, want)
		}
	})
}

// A price times a quantity, both at 8 places, to 8 places.
func BenchmarkMul(b *testing.B) {
	const price, qty, want = int64(6_012_345_678_901), int64(-150_000_001), int64(-9_018_518_578_475)
	b.Run("ours", func(b *testing.B) {
		var got int64
		p, q := price, qty
		b.ReportAllocs()
		for b.Loop() {
			got, _ = MulDivFloor(p, q, 1e8)
		}
		if got != want {
			b.Fatalf("%d, want %d", got, want)
		}
	})
	b.Run("shopspring", func(b *testing.B) {
		p, q := decimal.New(price, -8), decimal.New(qty, -8)
		var got decimal.Decimal
		b.ReportAllocs()
		for b.Loop() {
			got = p.Mul(q).RoundFloor(8)
		}
		if !got.Equal(decimal.New(want, -8)) {
			b.Fatalf("%v, want %d", got, want)
		}
	})
	b.Run("shopspring-unrounded", func(b *testing.B) { // what a program does that lets the digits grow
		p, q := decimal.New(price, -8), decimal.New(qty, -8)
		var got decimal.Decimal
		b.ReportAllocs()
		for b.Loop() {
			got = p.Mul(q)
		}
		if !got.RoundFloor(8).Equal(decimal.New(want, -8)) {
			b.Fatalf("%v, want %d", got, want)
		}
	})
	b.Run("int128", func(b *testing.B) {
		p, q := I128(price), qty
		var got Int128
		b.ReportAllocs()
		for b.Loop() {
			got, _ = p.MulDivFloor(q, 1e8)
		}
		if got != I128(want) {
			b.Fatalf("%v, want %d", got, want)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		var sum Int128
		step := I128(6_012_345_678_901)
		ok := true
		b.ReportAllocs()
		for b.Loop() {
			sum, ok = sum.AddChecked(step)
		}
		if !ok || sum.Sign() != 1 {
			b.Fatal(sum, ok)
		}
	})
	b.Run("shopspring", func(b *testing.B) {
		var sum decimal.Decimal
		step := decimal.New(6_012_345_678_901, -8)
		b.ReportAllocs()
		for b.Loop() {
			sum = sum.Add(step)
		}
		if sum.Sign() != 1 {
			b.Fatal(sum)
		}
	})
}

func BenchmarkMulDiv128(b *testing.B) {
	for _, c := range []struct {
		name string
		d    Int128
	}{{"divisor=64bit", I128(1e18)}, {"divisor=128bit", Int128{Hi: 1 << 40, Lo: 1}}} {
		b.Run(c.name, func(b *testing.B) {
			a, m := Int128{Hi: 1 << 20, Lo: 5}, Int128{Lo: 1 << 60}
			var got Int128
			ok := false
			for b.Loop() {
				got, ok = a.MulDivFloor128(m, c.d)
			}
			if !ok || got.Sign() != 1 {
				b.Fatal(got, ok)
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	x := Index{U: IndexOne().U.Add(Uint128{Hi: 77, Lo: 99})}
	for _, c := range []struct {
		name string
		f    func(Int128) (Int128, bool)
		v    Int128
	}{
		{"ValueFloor/bits=63", x.ValueFloor, I128(123_456_789_012_345)},
		{"ValueCeil/bits=63", x.ValueCeil, I128(123_456_789_012_345)},
		{"ValueFloor/bits=100", x.ValueFloor, Int128{Hi: 1 << 36, Lo: 1}},
		{"ScaledFloor/bits=63", x.ScaledFloor, I128(123_456_789_012_345)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var got Int128
			ok := false
			for b.Loop() {
				got, ok = c.f(c.v)
			}
			if !ok || got.Sign() != 1 {
				b.Fatal(got, ok)
			}
		})
	}
}

func BenchmarkExpFactor(b *testing.B) {
	for _, c := range []struct {
		name string
		dtMs int64
	}{{"dt=1h", 3_600_000}, {"dt=10y", 10 * YearMs}} {
		b.Run(c.name, func(b *testing.B) {
			var got Int128
			ok := false
			b.ReportAllocs()
			for b.Loop() {
				got, ok = ExpFactor(50_000_000_000, c.dtMs)
			}
			if !ok || got.Sign() != 1 {
				b.Fatal(got, ok)
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	b.Run("words=8", func(b *testing.B) {
		var sum Hash128
		for b.Loop() {
			m := NewMixer(1)
			for i := range uint64(8) {
				m.U64(i)
			}
			sum = sum.Add(m.Sum())
		}
		if sum == (Hash128{}) {
			b.Fatal(sum)
		}
	})
}
