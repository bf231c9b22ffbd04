package risktest

import (
	"math/big"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// whole is an exact integer. Every function here returns a new one; none changes its
// arguments, so that values may be shared.
type whole = *big.Int

func of(v int64) whole            { return big.NewInt(v) }
func add(a, b whole) whole        { return new(big.Int).Add(a, b) }
func sub(a, b whole) whole        { return new(big.Int).Sub(a, b) }
func times(a, b whole) whole      { return new(big.Int).Mul(a, b) }
func negate(a whole) whole        { return new(big.Int).Neg(a) }
func absolute(a whole) whole      { return new(big.Int).Abs(a) }
func isLess(a, b whole) bool      { return a.Cmp(b) < 0 }
func isEqual(a, b whole) bool     { return a.Cmp(b) == 0 }
func pow10(n int) whole           { return new(big.Int).Exp(of(10), of(int64(n)), nil) }
func scaled(v whole, n int) whole { return times(v, pow10(n)) }

// least returns the smallest of its arguments.
func least(first whole, rest ...whole) whole {
	for _, v := range rest {
		if isLess(v, first) {
			first = v
		}
	}
	return first
}

// most returns the largest of its arguments.
func most(first whole, rest ...whole) whole {
	for _, v := range rest {
		if isLess(first, v) {
			first = v
		}
	}
	return first
}

// above returns v, or zero where v is negative.
func above(v whole) whole { return most(v, of(0)) }

// divFloor returns a/b toward minus infinity; b may be negative.
func divFloor(a, b whole) whole {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if r.Sign() != 0 && (r.Sign() < 0) != (b.Sign() < 0) {
		q.Sub(q, of(1))
	}
	return q
}

// divCeil returns a/b toward plus infinity; b may be negative.
func divCeil(a, b whole) whole { return negate(divFloor(negate(a), b)) }

// divHalfEven returns a/b rounded once to the nearest integer, ties to even.
func divHalfEven(a, b whole) whole {
	q := divFloor(a, b)
	twice := sub(a, times(q, b))
	twice = absolute(times(twice, of(2)))
	switch twice.Cmp(absolute(b)) {
	case -1:
		return q
	case 1:
		return add(q, of(1))
	default:
		return add(q, of(int64(q.Bit(0))))
	}
}

// fromInt128 widens a machine number.
func fromInt128(v fixedpoint.Int128) whole {
	r := new(big.Int).Lsh(of(v.Hi), 64)
	return r.Add(r, new(big.Int).SetUint64(v.Lo))
}

// toInt128 narrows to a machine number; it panics beyond 128 bits, which no figure reaches.
func toInt128(v whole) fixedpoint.Int128 {
	if v.BitLen() > 127 {
		panic("risktest: BUG: figure beyond 128 bits: " + v.String())
	}
	low := new(big.Int).And(v, new(big.Int).SetUint64(1<<64-1)) // two's complement
	return fixedpoint.Int128{Hi: new(big.Int).Rsh(v, 64).Int64(), Lo: low.Uint64()}
}

// amount makes a figure of a view.
func amount(v whole, decimals int) risk.Amount {
	return risk.Amount{V: toInt128(v), Decimals: uint8(decimals)}
}

// null makes a figure that does not exist.
func null(decimals int) risk.Amount { return risk.Amount{Decimals: uint8(decimals), IsNull: true} }

// number reads mantissa i of a record at the given decimals. The oracle is fed accepted
// commands only, so the rescaling is exact.
func number(c *risk.Command, i, decimals int) whole {
	v := of(c.Num[i])
	if have := int(c.Dec[i]); have > decimals {
		return divFloor(v, pow10(have-decimals))
	} else if have < decimals {
		return scaled(v, decimals-have)
	}
	return v
}

// expE27 returns floor(exp(num/den) x 10^27) for num/den >= 0, by the series of exp at 384
// fraction bits; the argument is halved below one and the result squared back.
func expE27(num, den whole) whole {
	const bits = 384
	x := divFloor(new(big.Int).Lsh(num, bits), den)
	one := new(big.Int).Lsh(of(1), bits)
	halvings := 0
	for isLess(one, x) {
		x = new(big.Int).Rsh(x, 1)
		halvings++
	}
	sum, term := one, one
	for n := int64(1); term.Sign() > 0; n++ {
		term = new(big.Int).Rsh(times(term, x), bits)
		term = divFloor(term, of(n))
		sum = add(sum, term)
	}
	for range halvings {
		sum = new(big.Int).Rsh(times(sum, sum), bits)
	}
	return new(big.Int).Rsh(scaled(sum, 27), bits)
}
