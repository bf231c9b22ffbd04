package risktest

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// path is a line through prices along which the adversary moves: one price by its own units, or
// all that an account reads together, by parts of 2^36, each to the side on which it loses.
type path struct {
	names []int
	from  []int64
	signs []int64
	isOne bool

	ofHealthy bool // the line sought is the one that bounds healthy accounts
}

const pathBits = 36

// walk ticks the prices of a place on a path; false when one is out of range.
func (s *storm) walk(p *path, place int64) bool {
	var b tickBuilder
	for i, name := range p.names {
		v := p.from[i] + place
		if !p.isOne {
			v = p.from[i] + p.signs[i]*mulDiv(p.from[i], place, 1<<pathBits)
		}
		if v <= 0 || v > 1<<40 {
			return false
		}
		s.put(&b, name, v)
	}
	s.do(b.group)
	return s.err == nil
}

// homing is the adversary: it looks for a place on a path at which some account stands on a
// line, by halves, until two neighbouring places lie on either side of it; then it waits on one
// side, at distances of all sizes, until every band is made, and steps just across.
func (s *storm) homing() {
	account, p, ok := s.prey()
	if !ok {
		return
	}
	near, across, ok := s.line(account, p)
	if !ok {
		return
	}
	s.count.lines.Add(1)
	if s.r.IntN(2) == 0 {
		s.dance(p, near, across)
		s.jitter(p, near)
	}
	if name := p.names[0]; p.isOne && name < stormPerps {
		s.fundingEdge(account, name, p.signs[0] > 0)
	}
	s.interestEdge(account, p, near, across)
}

// fundingEdge crosses a line where a healthy account's band has nothing to spare. Bands hold for
// funding up to 2^-14 of the mark to either side, in requirements. So it is paid to just there,
// in five parts (a room holds four times the last payment); a line is looked for; it is paid
// back, and bands are made near the line; then it is paid again while the mark follows, so that
// the mark less funding, which is what bounds are about, stays where it is; and then the line is
// crossed.
func (s *storm) fundingEdge(account uint32, name int, isShort bool) {
	const parts = 5
	p := &path{names: []int{name}, from: []int64{s.perps[name]}, isOne: true, ofHealthy: true}
	near, _, ok := s.healthyLine(account, p, 100, 10, 3)
	if !ok || !s.walk(p, near) {
		return
	}
	oracle := s.listed(name).price // at 1e-6, as given once
	paid := s.perps[name] * million >> 14 / parts / 1000 * 997
	rate, step := mulDiv(paid, fixedpoint.Pow10(10+s.listed(name).sz), oracle*10_000), paid/million
	pay := func(rate int64) {
		for range parts {
			s.pay(name, rate)
		}
		s.centre()
	}
	pay(rate)
	near, across, ok := s.healthyLine(account, p, 1000)
	if !ok {
		return
	}
	pay(-rate)
	for range 10 {
		place := near + (near-across)*(1+s.r.Int64N(1<<(10+s.r.IntN(6)))) // a code is some 1,000 units
		if !s.walk(p, place-parts*step) {
			return
		}
		s.rest(p)
		for n := range int64(parts) {
			if isShort {
				s.pay(name, rate)
			}
			s.walk(p, place-(parts-1-n)*step)
			if !isShort {
				s.pay(name, rate)
			}
		}
		s.walk(p, across)
		s.walk(p, place)
		pay(-rate)
	}
}

// healthyLine finds the line that bounds a healthy account on a path, within shares of the
// price on either side.
func (s *storm) healthyLine(account uint32, p *path, shares ...int64) (near, across int64, ok bool) {
	p.from[0] = s.price(p.names[0])
	for _, share := range shares {
		if near, across, ok = s.lineWithin(account, p, p.from[0]/share); ok {
			break
		}
	}
	if ok = ok && s.walk(p, near); ok && s.stands(account, p) == 0 {
		near, across = across, near
	}
	return near, across, ok
}

// centre changes a parameter and changes it back: then the rooms of funding and interest lie
// around what stands now, and are as small as they get.
func (s *storm) centre() {
	for _, v := range []uint64{risk.ParamOriginalSize, 0} {
		s.do([]risk.Command{{Kind: risk.KindSetParameters, Aux: risk.ParamOrderMarginBasis | v}})
	}
	s.settle(settleAll)
}

// pay pays funding at a rate at 1e-12.
func (s *storm) pay(name int, rateE12 int64) {
	c := risk.Command{Kind: risk.KindFunding, Mode: 1}
	c.Ref[0] = uint32(name)
	c.SetNum(0, rateE12, 12)
	s.do([]risk.Command{c})
}

// interestEdge waits near a line, lets interest take it nearer, by less than bands hold for,
// and then walks up to where it was.
func (s *storm) interestEdge(account uint32, p *path, near, across int64) {
	var view risk.AccountView
	if s.err != nil || !s.twin.ReadAccount(account, &view) || view.Margin.HealthFactor.IsNull {
		return
	}
	for range 4 {
		if !s.walk(p, near+(near-across)<<(14+s.r.IntN(12))) {
			return
		}
		s.rest(p)
		s.clock(1 << (16 + s.r.IntN(6)))
		for shift := 20; shift > 0 && s.err == nil; shift -= 2 {
			s.walk(p, near+(near-across)<<shift)
		}
	}
}

// prey draws an account and one of the prices that it reads, or all of them.
func (s *storm) prey() (account uint32, p *path, ok bool) {
	switch s.r.IntN(6) {
	case 0:
		account = s.r.Uint32N(s.accounts)
	case 1, 2, 3:
		account = s.singles[s.r.IntN(len(s.singles))]
	default:
		account = s.homed + s.r.Uint32N(s.accounts-s.homed)
	}
	var view risk.AccountView
	if !s.twin.ReadAccount(account, &view) {
		return 0, nil, false
	}
	p = &path{}
	add := func(name int, isShort bool) {
		sign := int64(-1)
		if isShort {
			sign = 1
		}
		p.names, p.from, p.signs = append(p.names, name), append(p.from, s.price(name)), append(p.signs, sign)
	}
	for i := range view.Positions {
		if x := &view.Positions[i]; !x.Size.V.IsZero() {
			add(int(x.Perp), x.Size.V.Sign() < 0)
		}
	}
	for i := range view.Balances {
		if b := &view.Balances[i]; view.Mode == risk.ModePortfolio && b.Token > 0 && !(b.Supplied.V.IsZero() && b.Borrowed.V.IsZero()) {
			add(stormPerps+int(b.Token), !b.Borrowed.V.IsZero())
		}
	}
	if len(p.names) == 0 {
		return 0, nil, false
	}
	if p.isOne = s.r.IntN(2) == 0; p.isOne {
		i := s.r.IntN(len(p.names))
		p.names, p.from, p.signs = p.names[i:i+1], p.from[i:i+1], p.signs[i:i+1]
	}
	return account, p, true
}

// line finds two neighbouring places at which an account is told different things. Every place
// on the way is a tick of all machines.
func (s *storm) line(account uint32, p *path) (near, across int64, ok bool) {
	whole := int64(1 << pathBits)
	if p.isOne {
		whole = p.from[0]
	}
	for _, percent := range []int64{10, -10, 50}[s.r.IntN(2):] {
		if near, across, ok = s.lineWithin(account, p, mulDiv(whole, percent, 100)); ok {
			return near, across, true
		}
	}
	return 0, 0, false
}

// stands returns what an account is told, or only whether it is healthy.
func (s *storm) stands(account uint32, p *path) uint16 {
	switch {
	case !p.ofHealthy:
		return s.health[account]
	case s.health[account] == uint16(risk.HealthHealthy):
		return 1
	default:
		return 0
	}
}

// lineWithin is line between the beginning of a path and a place.
func (s *storm) lineWithin(account uint32, p *path, place int64) (near, across int64, ok bool) {
	here := s.stands(account, p)
	for _, across = range []int64{place, -place} {
		if !s.walk(p, across) {
			return 0, 0, false
		}
		s.settleRandomly()
		if s.stands(account, p) != here {
			ok = true
			break
		}
	}
	for ok && max(near, across)-min(near, across) > 1 {
		middle := near + (across-near)/2
		if !s.walk(p, middle) {
			return 0, 0, false
		}
		s.settleRandomly()
		if s.stands(account, p) == here {
			near = middle
		} else {
			across = middle
		}
	}
	return near, across, ok
}

// dance waits on either side of a line, one unit away and further, and steps to the other side.
func (s *storm) dance(p *path, near, across int64) {
	sign := near - across
	for range 2 {
		for shift := uint(s.r.IntN(4)); shift < 36; shift += 2 + uint(s.r.IntN(5)) {
			if !s.walk(p, near+sign*(s.r.Int64N(1<<shift)+1<<shift-1)) {
				break
			}
			s.rest(p)
			s.walk(p, across)
			s.settle([]settling{settleNone, settleSome, settleAll}[s.r.IntN(3)])
			if s.r.IntN(4) == 0 {
				s.walk(p, near)
			}
		}
		near, across, sign = across, near, -sign
	}
}

// rest makes all bands that can be made: accounts that stood on a line a moment ago are tried
// again after a tick.
func (s *storm) rest(p *path) {
	s.settle(settleAll)
	s.tickPrice(p.names[0], s.price(p.names[0]))
	s.settle(settleAll)
}

// jitter moves prices about a line while other things move by as little: other prices,
// interest, funding.
func (s *storm) jitter(p *path, near int64) {
	for range 12 {
		switch s.r.IntN(6) {
		case 0:
			s.clock(1 << s.r.IntN(23))
		case 1:
			s.do([]risk.Command{s.fundingOf(s.r.IntN(stormPerps), s.r.Int64N(20_001)-10_000)})
		case 2:
			other := s.r.IntN(stormPerps)
			s.tickPrice(other, s.scaled(s.perps[other], 99_990+s.r.Int64N(21), 100_000))
		default:
		}
		s.settle([]settling{settleNone, settleAll, settleAll}[s.r.IntN(3)])
		by := s.r.Int64N(1 << s.r.IntN(26))
		if s.r.IntN(2) == 0 {
			by = -by
		}
		s.walk(p, near+by)
	}
}
