package risktest

import (
	"fmt"
	"math/big"

	"plimsoll/risk"
)

// formula evaluates the formulas of risk.ExplainNode, exactly and knowing nothing of risk:
// a recursive descent over fractions. A null (infinite) value is a nil *big.Rat.
type formula struct {
	text   string
	at     int
	inputs map[string][]*big.Rat
}

type fault string

// eval returns the exact value of a formula.
func eval(text string, inputs map[string][]*big.Rat) (value *big.Rat, err error) {
	defer func() {
		if f, ok := recover().(fault); ok {
			err = fmt.Errorf("%q: %s", text, string(f))
		}
	}()
	p := &formula{text: text, inputs: inputs}
	value = p.sum()
	if p.peek() != 0 {
		panic(fault(fmt.Sprintf("unread from %d", p.at)))
	}
	return value, nil
}

func (p *formula) peek() byte {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *formula) take(c byte) bool {
	if p.peek() == c {
		p.at++
		return true
	}
	return false
}

func (p *formula) expect(c byte) {
	if !p.take(c) {
		panic(fault(fmt.Sprintf("no %q at %d", c, p.at)))
	}
}

func (p *formula) sum() *big.Rat {
	v := p.product()
	for {
		switch {
		case p.take('+'):
			v = new(big.Rat).Add(v, p.product())
		case p.take('-'):
			v = new(big.Rat).Sub(v, p.product())
		default:
			return v
		}
	}
}

func (p *formula) product() *big.Rat {
	v := p.factor()
	for {
		switch {
		case p.take('*'):
			v = new(big.Rat).Mul(v, p.factor())
		case p.take('/'):
			d := p.factor()
			if d.Sign() == 0 {
				panic(fault("division by zero"))
			}
			v = new(big.Rat).Quo(v, d)
		default:
			return v
		}
	}
}

func (p *formula) factor() *big.Rat {
	c := p.peek()
	start := p.at
	switch {
	case p.take('('):
		v := p.sum()
		p.expect(')')
		return v
	case c >= '0' && c <= '9':
		for p.at < len(p.text) && (p.text[p.at] >= '0' && p.text[p.at] <= '9' || p.text[p.at] == '.') {
			p.at++
		}
		v, _ := new(big.Rat).SetString(p.text[start:p.at])
		return v
	}
	name := p.name()
	if p.take('(') {
		return p.call(name)
	}
	return p.one(name)
}

func (p *formula) name() string {
	p.peek()
	start := p.at
	for p.at < len(p.text) {
		if c := p.text[p.at] | 0x20; c >= 'a' && c <= 'z' || p.text[p.at] == '_' {
			p.at++
			continue
		}
		break
	}
	if start == p.at {
		panic(fault(fmt.Sprintf("no name at %d", p.at)))
	}
	return p.text[start:p.at]
}

// one returns the input of a name, which must stand once.
func (p *formula) one(name string) *big.Rat {
	if len(p.inputs[name]) != 1 || p.inputs[name][0] == nil {
		panic(fault(fmt.Sprintf("%d inputs of name %s", len(p.inputs[name]), name)))
	}
	return p.inputs[name][0]
}

func (p *formula) call(name string) *big.Rat {
	if name == "sum" || name == "max" && p.isAlone() {
		all := p.inputs[p.name()]
		p.expect(')')
		return fold(name, all)
	}
	a := p.sum()
	if name == "abs" {
		p.expect(')')
		return new(big.Rat).Abs(a)
	}
	p.expect(',')
	b := p.sum()
	p.expect(')')
	switch {
	case name == "min" && a.Cmp(b) <= 0, name == "max" && a.Cmp(b) >= 0:
		return a
	case name == "min", name == "max":
		return b
	case name == "ratio" && a.Sign() <= 0:
		return new(big.Rat)
	case name == "ratio" && b.Sign() <= 0:
		return nil
	case name == "ratio":
		return new(big.Rat).Quo(a, b)
	}
	panic(fault("no function " + name))
}

// isAlone reports whether one name fills the parentheses that are open.
func (p *formula) isAlone() bool {
	at := p.at
	defer func() { p.at = at }()
	if c := p.peek(); c >= '0' && c <= '9' || c == '(' {
		return false
	}
	p.name()
	return p.peek() == ')'
}

// fold sums, or takes the largest of, all inputs of a name; null is above every number.
func fold(name string, all []*big.Rat) *big.Rat {
	v := new(big.Rat)
	for i, x := range all {
		switch {
		case x == nil:
			return nil
		case name == "sum":
			v = new(big.Rat).Add(v, x)
		case i == 0 || x.Cmp(v) > 0:
			v = x
		}
	}
	return v
}

// rounded brings an exact value to the decimals of a node.
func rounded(v *big.Rat, decimals int, how risk.Rounding) (whole, bool) {
	scaledUp := new(big.Rat).Mul(v, new(big.Rat).SetInt(pow10(decimals)))
	switch how {
	case risk.RoundFloor:
		return divFloor(scaledUp.Num(), scaledUp.Denom()), true
	case risk.RoundCeil:
		return divCeil(scaledUp.Num(), scaledUp.Denom()), true
	case risk.RoundHalfEven:
		return divHalfEven(scaledUp.Num(), scaledUp.Denom()), true
	default:
		return scaledUp.Num(), scaledUp.IsInt()
	}
}

// fraction returns the exact value of an amount, nil for null.
func fraction(a risk.Amount) *big.Rat {
	if a.IsNull {
		return nil
	}
	return new(big.Rat).SetFrac(fromInt128(a.V), pow10(int(a.Decimals)))
}
