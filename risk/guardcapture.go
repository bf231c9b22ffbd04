package risk

// appendGuards appends what price guards know, of what is listed, in order of the slots.
func (m *Machine) appendGuards(dst []byte) []byte {
	for slot := range m.perpCount {
		if p := &m.perps[slot]; p.isListed {
			dst = appendBool(appendInt(appendInt(dst, p.bandE12), p.oracleTimeMs), p.isStale)
		}
	}
	for i := range m.spotCount {
		if s := &m.spots[i]; s.isListed {
			dst = s.guard.append(dst)
		}
	}
	for slot := range m.tokenCount {
		if t := &m.tokens[slot]; t.isListed {
			dst = t.guard.append(dst)
		}
	}
	return dst
}

func (g *guard) append(dst []byte) []byte {
	for _, v := range [3]int64{g.maxAgeMs, g.bandE12, g.timeMs} {
		dst = appendInt(dst, v)
	}
	return appendBool(dst, g.isStale)
}

// restoreGuards takes what appendGuards gave. The ages of derived prices and what is told stay
// what they were, so a restored machine goes on bit for bit.
func (m *Machine) restoreGuards(s *scanner) {
	for slot := range m.perpCount {
		if p := &m.perps[slot]; p.isListed {
			p.bandE12, p.oracleTimeMs, p.isStale = s.within(0, rateOne), s.int(), s.bool()
			m.staleCount += int(bit(p.isStale))
		}
	}
	for i := range m.spotCount {
		if t := &m.spots[i]; t.isListed {
			t.guard.restore(s)
			m.staleCount += int(bit(t.isStale))
		}
	}
	for slot := range m.tokenCount {
		if t := &m.tokens[slot]; t.isListed {
			t.guard.restore(s)
			m.staleCount += int(bit(t.isStale))
		}
	}
}

func (g *guard) restore(s *scanner) {
	*g = guard{maxAgeMs: s.within(0, 1<<63-1), bandE12: s.within(0, rateOne), timeMs: s.int(), isStale: s.bool()}
}
