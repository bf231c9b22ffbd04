package risk

// world is what all accounts are valued with: prices, terms and indices. A pass over the
// accounts that is done in slices keeps the world of the place where it began, so that it
// values the last account as it would have valued it then. Accounts themselves are not
// copied: what changes is counted first (see countFirst).
type world struct {
	tokens   []token
	perps    []perp
	hotPerps []hotPerp
	spots    []spot
	dexes    []dex
	pools    []pool

	params     Parameters
	numeraire  uint32
	tokenCount uint32
	perpCount  uint32
	spotCount  uint32
}

// freeze copies the machine's world. Only slots in use are copied: counts never fall.
func (w *world) freeze(m *Machine) {
	if w.tokens == nil {
		w.tokens, w.perps, w.hotPerps = make([]token, TokensMax), make([]perp, PerpsMax), make([]hotPerp, PerpsMax)
		w.spots, w.dexes = make([]spot, SpotsMax), make([]dex, DexesMax)
	}
	copy(w.tokens, m.tokens[:m.tokenCount])
	copy(w.perps, m.perps[:m.perpCount])
	copy(w.hotPerps, m.hotPerps[:m.perpCount])
	copy(w.spots, m.spots[:m.spotCount])
	copy(w.dexes, m.dexes)
	w.pools = append(w.pools[:0], m.pools...)
	w.params, w.numeraire = m.params, m.numeraire
	w.tokenCount, w.perpCount, w.spotCount = m.tokenCount, m.perpCount, m.spotCount
}

// exchange puts the machine into the other world, and by a second call back. It moves
// slice headers, not their contents, so pointers into the present stay what they are.
func (m *Machine) exchange(w *world) {
	m.tokens, w.tokens = w.tokens, m.tokens
	m.perps, w.perps = w.perps, m.perps
	m.hotPerps, w.hotPerps = w.hotPerps, m.hotPerps
	m.spots, w.spots = w.spots, m.spots
	m.dexes, w.dexes = w.dexes, m.dexes
	m.pools, w.pools = w.pools, m.pools
	m.params, w.params = w.params, m.params
	m.numeraire, w.numeraire = w.numeraire, m.numeraire
	m.tokenCount, w.tokenCount = w.tokenCount, m.tokenCount
	m.perpCount, w.perpCount = w.perpCount, m.perpCount
	m.spotCount, w.spotCount = w.spotCount, m.spotCount
}
