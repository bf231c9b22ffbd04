package risktest

import "plimsoll/risk"

// path is a line through prices along which the adversary moves: one price by its own units, or
// all that an account reads together, by parts of 2^36, each to the side on which it loses.
type path struct {
	names []int
	from  []int64
	signs []int64
	isOne bool
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
	s.dance(p, near, across)
	s.jitter(p, near)
}

// prey draws an account and one of the prices that it reads, or all of them.
func (s *storm) prey() (account uint32, p *path, ok bool) {
	account = s.r.Uint32N(s.accounts)
	if s.r.IntN(4) != 0 {
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
	here := s.health[account]
	whole := int64(1 << pathBits)
	if p.isOne {
		whole = p.from[0]
	}
	for _, permille := range [][2]int64{{100, -100}, {-100, 100}, {500, -500}}[s.r.IntN(2):] {
		if across = mulDiv(whole, permille[0], 1_000); !s.walk(p, across) {
			return 0, 0, false
		}
		s.settleRandomly()
		if s.health[account] != here {
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
		if s.health[account] == here {
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
		for shift := uint(0); shift < 36; shift += 1 + uint(s.r.IntN(4)) {
			if !s.walk(p, near+sign*(s.r.Int64N(1<<shift)+1<<shift-1)) {
				break
			}
			s.settle(settleAll)
			s.walk(p, across)
			s.settle([]settling{settleNone, settleSome, settleAll}[s.r.IntN(3)])
			if s.r.IntN(4) == 0 {
				s.walk(p, near)
			}
		}
		near, across, sign = across, near, -sign
	}
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
