//go:build !race

package fixedpoint

import "testing"

// Stores that the compiler cannot see through keep the measured work from being dropped.
var (
	sinkI Int128
	sinkV int64
	sinkD Decimal
	sinkB []byte
	sinkX Index
	sinkH Hash128
	sinkK bool
)

func TestHotFunctionsDoNotAllocate(t *testing.T) {
	var (
		wide  = Int128{Hi: 1 << 40, Lo: 12345}
		small = I128(123_456_789_012)
		index = Index{U: IndexOne().U.Add(Uint128{Hi: 77, Lo: 99})}
		text  = []byte("60123.45678901")
		long  = []byte("60123.456789010000000000000000000")
		wrong = []byte("60123.4567x901")
		spell = string(text)
		dst   = make([]byte, 0, 128)
	)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"Int128 sums", func() { sinkI, sinkK = wide.Add(small).Sub(wide).Neg().AddChecked(small) }},
		{"MulInt64", func() { sinkI, sinkK = wide.MulInt64(1000) }},
		{"DivFloor", func() { sinkI = wide.DivFloor(1e8) }},
		{"MulDivFloor", func() { sinkV, sinkK = MulDivFloor(123_456_789, -987_654_321, 1e8) }},
		{"Int128.MulDivFloor", func() { sinkI, sinkK = wide.MulDivFloor(987_654_321, 1e8) }},
		{"MulDivFloor128", func() { sinkI, sinkK = wide.MulDivFloor128(wide, small) }},
		{"MulPow10", func() { sinkI, sinkK = small.MulPow10(20) }},
		{"Rescale128", func() { sinkI, sinkK = Rescale128(small, 2, 8) }},
		{"RoundDecimal128HalfEven", func() { sinkI = RoundDecimal128HalfEven(wide, 16, 8) }},
		{"ParseDecimal", func() { sinkD, _ = ParseDecimal(text) }},
		{"ParseDecimal of a long text", func() { sinkD, _ = ParseDecimal(long) }},
		{"ParseDecimal refusing", func() { sinkD, _ = ParseDecimal(wrong) }},
		{"ParseDecimalString", func() { sinkD, _ = ParseDecimalString(spell) }},
		{"AppendDecimal", func() { sinkB = AppendDecimal(dst, 6012345678901, 8) }},
		{"AppendDecimal128", func() { sinkB = AppendDecimal128(dst, wide, 8) }},
		{"AppendDecimalPlaces128", func() { sinkB = AppendDecimalPlaces128(dst, wide, 16, 6) }},
		{"PriceFollowsTickRule", func() { sinkK = PriceFollowsTickRule(1234500, 3, 0, false) }},
		{"QuantizePriceDown", func() { sinkD = QuantizePriceDown(Decimal{1234567, 2}, 0, false) }},
		{"ValueFloor", func() { sinkI, sinkK = index.ValueFloor(small) }},
		{"ValueCeil of a wide one", func() { sinkI, sinkK = index.ValueCeil(wide) }},
		{"ScaledFloor", func() { sinkI, sinkK = index.ScaledFloor(small) }},
		{"GrowFloor", func() { sinkX, sinkK = index.GrowFloor(wide, wide) }},
		{"CompoundCeil", func() { sinkX, sinkK = index.CompoundCeil(small) }},
		{"ExpFactor", func() { sinkI, sinkK = ExpFactor(50_000_000_000, 3_600_000) }},
		{"ExpFactor of much", func() { sinkI, sinkK = ExpFactor(RateE12Max, YearMs/5) }},
		{"Mixer", func() {
			m := NewMixer(1)
			m.U64(2)
			m.I128(wide)
			m.Bytes(text)
			sinkH = sinkH.Add(m.Sum())
		}},
	} {
		if n := testing.AllocsPerRun(100, c.f); n != 0 {
			t.Errorf("%s allocates %v times, want 0", c.name, n)
		}
	}
}
