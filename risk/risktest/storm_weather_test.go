package risktest

import "plimsoll/risk"

// weather is a stretch of a random path.
func (s *storm) weather() {
	stretches := []func(*storm){
		(*storm).calm, (*storm).calm, (*storm).calm, (*storm).jumps, (*storm).crash, (*storm).tenfold, (*storm).back, (*storm).desk,
		(*storm).desk, (*storm).years,
	}
	stretches[s.r.IntN(len(stretches))](s)
}

// calm moves a few prices by up to two basis points a tick, and the rest of the market by none.
func (s *storm) calm() {
	name := s.r.IntN(stormPerps + len(s.tokens))
	for range 40 {
		if s.r.IntN(4) == 0 {
			name = s.r.IntN(stormPerps + len(s.tokens))
		}
		s.tickPrice(name, s.scaled(s.price(name), 9_998+s.r.Int64N(5), 10_000))
		s.settleRandomly()
	}
}

// scaled returns v x num / den, kept within a thousandth and a thousand times a start.
func (s *storm) scaled(v, num, den int64) int64 {
	return max(1, min(mulDiv(v, num, den), 1<<40))
}

// jumps moves single prices by up to half.
func (s *storm) jumps() {
	for range 6 {
		name := s.r.IntN(stormPerps + len(s.tokens))
		s.tickPrice(name, s.scaled(s.price(name), 500+s.r.Int64N(1001), 1000))
		s.settleRandomly()
	}
}

// crash moves every perp down, or up, by up to two fifths, in a few ticks.
func (s *storm) crash() {
	isDown := s.r.IntN(4) != 0
	for range 1 + s.r.IntN(3) {
		var all []int
		for n := range s.perps {
			by := 1000 - s.r.Int64N(400)
			if isDown {
				s.perps[n] = s.scaled(s.perps[n], by, 1000)
			} else {
				s.perps[n] = s.scaled(s.perps[n], 1000, by)
			}
			all = append(all, n)
		}
		s.do(s.tick(all...))
		s.settleRandomly()
	}
}

// tenfold moves one price up ten times or down to a tenth, and back.
func (s *storm) tenfold() {
	name := s.r.IntN(stormPerps + len(s.tokens))
	was := s.price(name)
	v := s.scaled(was, 10, 1)
	if s.r.IntN(2) == 0 {
		v = s.scaled(was, 1, 10)
	}
	s.tickPrice(name, v)
	s.settleRandomly()
	if s.r.IntN(2) == 0 {
		s.tickPrice(name, s.scaled(v, 999, 1000))
		s.settleRandomly()
	}
	s.tickPrice(name, was)
	s.settleRandomly()
}

// back returns every price to where it began.
func (s *storm) back() {
	var b tickBuilder
	copy(s.perps, s.started)
	for n := range s.perps {
		b.add(risk.PriceMark, uint32(n), s.perps[n], 6-s.listed(n).sz)
	}
	for n := range s.tokens {
		b.add(risk.PriceTokenOracle, uint32(n), universeTokens[n].price, 6)
	}
	s.do(b.group)
	s.settleRandomly()
}

// desk lets accounts trade, transfer, borrow and change their minds, and time go by.
func (s *storm) desk() {
	for range 12 {
		s.do(s.g.Next())
		s.settleRandomly()
	}
	for range 6 {
		name := s.r.IntN(stormPerps)
		c := risk.Command{Kind: risk.KindFill}
		c.Ref = [4]uint32{s.homed + s.r.Uint32N(s.accounts-s.homed), 0, uint32(name), risk.NoSlot}
		if s.r.IntN(2) == 0 {
			c.Flags |= risk.FlagSell
		}
		p := s.listed(name)
		c.SetNum(0, max(1, s.g.money(5_000*million)/max(1, s.perps[name])), p.sz)
		c.SetNum(1, s.perps[name], 6-p.sz)
		s.do([]risk.Command{c})
		s.settleRandomly()
		s.tickPrice(name, s.scaled(s.perps[name], 9_950+s.r.Int64N(100), 10_000))
		s.settleRandomly()
	}
	s.do([]risk.Command{s.fundingOf(s.r.IntN(stormPerps), s.r.Int64N(40_000)-20_000)})
}

// fundingOf pays one perp a rate at 1e-9.
func (s *storm) fundingOf(n int, rate int64) risk.Command {
	c := risk.Command{Kind: risk.KindFunding, Mode: 1}
	c.Ref[0] = uint32(n)
	c.SetNum(0, rate, 9)
	return c
}

// years steps time far and pays funding hard, between ticks.
func (s *storm) years() {
	for range 4 {
		s.clock([]int64{1, 1_000, 60_000, 3_600_000, 86_400_000, 300 * 86_400_000}[s.r.IntN(6)])
		s.settleRandomly()
		s.do([]risk.Command{s.fundingOf(s.r.IntN(stormPerps), s.r.Int64N(20_000_000)-10_000_000)})
		s.settleRandomly()
		name := s.r.IntN(stormPerps)
		s.tickPrice(name, s.scaled(s.perps[name], 9_990+s.r.Int64N(20), 10_000))
		s.settleRandomly()
	}
}

func (s *storm) clock(stepMs int64) {
	s.do([]risk.Command{{Kind: risk.KindClock, TimeMs: s.twin.TimeMs() + stepMs}})
}
