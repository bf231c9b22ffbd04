package risk

// What a tick costs because accounts are awake it costs again at the next one, unless they are
// given their bands in between. Where ticks follow each other without a pause, the background
// would never come to it. So a tick earns it about as much work as the tick itself was, to be
// done before the next one at the latest.

// Accounts that a pass reads, and looks at exactly, in the time of a band.
const (
	sweptPerBand = 128
	looksPerBand = 4
)

// CatchUpBands does what the last tick has earned the background and what BandStep has not come
// to since: to be called before a tick, and only then. It changes no outcome.
func (m *Machine) CatchUpBands() {
	const piece = 1024
	for b := &m.bands; b.credit > 0 && m.HasBandWork(); {
		m.BandStep(min(b.credit, piece))
	}
	m.bands.credit = 0
}
