package bench

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"

	"plimsoll/fixedpoint"
)

// operandCount is how many pairs of numbers a decimal loop goes through.
const operandCount = 1024

// operands are prices like 60123.45678901 and quantities of 0 to 99 with eight decimals, half
// of them negative, as text, as ours and as shopspring's.
type operands struct {
	texts      []string
	bytes      [][]byte
	ours       []int64 // mantissas at eight decimals
	theirs     []decimal.Decimal
	quantities struct {
		ours   []int64
		theirs []decimal.Decimal
	}
}

func newOperands() *operands {
	rng := rand.New(rand.NewPCG(7, 8))
	o := &operands{}
	for range operandCount {
		price := 1_000_00000000 + rng.Int64N(99_000_00000000)
		text := withPoint(price)
		o.texts, o.bytes = append(o.texts, text), append(o.bytes, []byte(text))
		o.ours, o.theirs = append(o.ours, price), append(o.theirs, decimal.New(price, -8))
		quantity := rng.Int64N(200_00000000) - 100_00000000
		o.quantities.ours = append(o.quantities.ours, quantity)
		o.quantities.theirs = append(o.quantities.theirs, decimal.New(quantity, -8))
	}
	return o
}

// withPoint prints a mantissa at eight decimals.
func withPoint(v int64) string {
	digits := strconv.FormatInt(v, 10)
	return digits[:len(digits)-8] + "." + digits[len(digits)-8:]
}

// BenchmarkDecimalParse reads prices beside shopspring/decimal: ours from bytes, as they stand
// in a request, theirs from strings that are there already.
func BenchmarkDecimalParse(b *testing.B) {
	o := newOperands()
	var ours, theirs int64
	p := pairs{items: 64 * operandCount}
	p.ours = func() {
		for range 64 {
			ours = 0
			for _, text := range o.bytes {
				d, err := fixedpoint.ParseDecimal(text)
				if err != nil {
					b.Fatal(err)
				}
				ours += d.Mantissa * fixedpoint.Pow10(8-d.Decimals)
			}
		}
	}
	p.refItems = 8 * operandCount
	p.reference = func() {
		for range 8 {
			theirs = 0
			for _, text := range o.texts {
				d, err := decimal.NewFromString(text)
				if err != nil {
					b.Fatal(err)
				}
				theirs += d.CoefficientInt64()
			}
		}
	}
	p.run(b)
	p.rate(b)
	if ours != theirs {
		b.Fatalf("read %d, shopspring %d", ours, theirs)
	}
}

// BenchmarkDecimalMultiply multiplies price and quantity beside shopspring/decimal: exact, all
// sixteen decimals kept, and cut down to eight decimals.
func BenchmarkDecimalMultiply(b *testing.B) {
	o := newOperands()
	b.Run("exact", func(b *testing.B) {
		var ours fixedpoint.Int128
		var theirs decimal.Decimal
		p := multiplyPairs(o, func(price, quantity int64) {
			ours = ours.Add(fixedpoint.Mul64(price, quantity))
		}, func(price, quantity decimal.Decimal) {
			theirs = price.Mul(quantity)
		})
		p.before = func() { ours = fixedpoint.Int128{} }
		p.run(b)
		p.rate(b)
		checkProduct(b, o, theirs.String(), func(price, quantity int64) string {
			return string(fixedpoint.AppendDecimal128(nil, fixedpoint.Mul64(price, quantity), 16))
		})
	})
	b.Run("places=8", func(b *testing.B) {
		var ours int64
		var theirs decimal.Decimal
		p := multiplyPairs(o, func(price, quantity int64) {
			v, _ := fixedpoint.MulDivFloor(price, quantity, 100_000_000)
			ours += v
		}, func(price, quantity decimal.Decimal) {
			theirs = price.Mul(quantity).RoundFloor(8)
		})
		p.run(b)
		p.rate(b)
		sink += uint64(ours)
		checkProduct(b, o, theirs.String(), func(price, quantity int64) string {
			v, _ := fixedpoint.MulDivFloor(price, quantity, 100_000_000)
			return string(fixedpoint.AppendDecimal(nil, v, 8))
		})
	})
}

// multiplyPairs goes through all operands, ours more often than theirs.
func multiplyPairs(o *operands, ours func(price, quantity int64), theirs func(price, quantity decimal.Decimal)) *pairs {
	const rounds, theirRounds = 256, 16
	return &pairs{
		items: rounds * operandCount, refItems: theirRounds * operandCount,
		ours: func() {
			for range rounds {
				for i, price := range o.ours {
					ours(price, o.quantities.ours[i])
				}
			}
		},
		reference: func() {
			for range theirRounds {
				for i, price := range o.theirs {
					theirs(price, o.quantities.theirs[i])
				}
			}
		},
	}
}

// checkProduct holds our product of the last operands against theirs.
func checkProduct(b *testing.B, o *operands, theirs string, ours func(price, quantity int64) string) {
	b.Helper()
	last := operandCount - 1
	got, err := decimal.NewFromString(ours(o.ours[last], o.quantities.ours[last]))
	if err != nil {
		b.Fatal(err)
	}
	if got.String() != theirs {
		b.Fatalf("product %s, shopspring %s", got, theirs)
	}
}
