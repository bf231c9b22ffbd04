package api

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

// sampler makes the messages of the dashboard, one goroutine for all viewers. A frame reads
// counters alone, so that it goes on when the pipeline stands still and shows where. What has
// its place in the order (pools, totals) is read by another goroutine, one thing at a time.
type sampler struct {
	server *Server
	began  time.Time
	buffer []byte

	// Percentiles are of the last five to ten seconds: what came since the older of two snapshots.
	stages       []stageSource
	older, newer []metrics.Snapshot
	turnedAt     time.Time

	reader   *engine.EventReader // nil: to be opened
	events   []risk.Event
	recent   []risk.Event // last dashboardTicker
	eventsAt uint64       // public events when it was read last
	skipped  uint64       // events that were not read, there were too many

	slow     chan struct{} // holds one thing while the other goroutine works
	passAt   time.Time     // when the last pass was begun
	poolsAt  time.Time
	accounts atomic.Uint64 // that the last pass counted; written by the other goroutine
	kept     *listing      // whose markets were told; the other goroutine's
}

// stageSource is one row of the latency table.
type stageSource struct {
	name string
	add  func(*metrics.Snapshot)
}

// windowTurn is how long a snapshot is the newer of the two.
const windowTurn = 5 * time.Second

func newSampler(s *Server) *sampler {
	m := &sampler{
		server: s, began: time.Now(), events: make([]risk.Event, eventsPerPoll), slow: make(chan struct{}, 1),
	}
	m.stages = s.stageSources()
	m.older, m.newer = make([]metrics.Snapshot, len(m.stages)), make([]metrics.Snapshot, len(m.stages))
	m.turn(m.began)
	copy(m.older, m.newer)
	return m
}

// stageSources lists what is timed, in the order of a command's way.
func (s *Server) stageSources() []stageSource {
	sources := []stageSource{{"decode", s.meter.decode.AddTo}}
	if e := s.telemetry; e != nil {
		for _, n := range []engine.Stage{
			engine.StageRingWait, engine.StageJournal, engine.StageApply, engine.StageGate, engine.StageWake,
		} {
			sources = append(sources, stageSource{n.Info().Name, func(sum *metrics.Snapshot) { e.AddLatency(n, sum) }})
		}
	}
	sources = append(sources, stageSource{"encode", s.meter.encode.AddTo}, stageSource{"request", func(sum *metrics.Snapshot) {
		for i := range s.meter.stripes {
			s.meter.stripes[i].commands.AddTo(sum)
		}
	}})
	if e := s.telemetry; e != nil {
		for _, n := range []engine.Stage{engine.StagePipeline, engine.StageTickEvent, engine.StageFrame} {
			sources = append(sources, stageSource{n.Info().Name, func(sum *metrics.Snapshot) { e.AddLatency(n, sum) }})
		}
	}
	return sources
}

// run tells a frame every so often until nobody looks.
func (m *sampler) run() {
	d := &m.server.dashboard
	ticker := time.NewTicker(cmp.Or(d.every, dashboardEvery))
	defer ticker.Stop()
	defer func() { m.slow <- struct{}{} }() // what is under way is part of this
	d.tell(messageHello, m.appendHello(nil))
	for isEnd := false; !d.leave(isEnd); {
		m.sample(time.Now())
		select {
		case <-ticker.C:
		case <-m.server.closing:
			isEnd = true
		}
	}
}

// sample tells what there is to tell now.
func (m *sampler) sample(now time.Time) {
	d := &m.server.dashboard
	status := m.server.engine.Status()
	if now.Sub(m.turnedAt) >= windowTurn {
		m.older, m.newer = m.newer, m.older
		m.turn(now)
	}
	m.buffer = m.appendFrame(m.buffer[:0], now, &status)
	d.tell(messageFrame, m.buffer)
	m.readEvents(&status)
	m.readSlow(now)
}

// turn takes a new snapshot of every stage.
func (m *sampler) turn(now time.Time) {
	for i := range m.stages {
		m.newer[i] = metrics.Snapshot{}
		m.stages[i].add(&m.newer[i])
	}
	m.turnedAt = now
}

// eventReads is how often eventsPerPoll events are read for one message. When there are more,
// those between are left out: nobody reads that fast.
const eventReads = 4

// readEvents tells the newest events, and how many there were.
func (m *sampler) readEvents(status *engine.Status) {
	if status.Events == m.eventsAt && m.reader != nil {
		return
	}
	if m.reader == nil && !m.openReader(status) {
		return
	}
	fresh, isAll := 0, false
	for range eventReads {
		count, err := m.reader.Read(m.events)
		if err != nil {
			m.reader = nil
			break
		}
		fresh += count
		m.recent = append(m.recent, m.events[max(0, count-dashboardTicker):count]...)
		m.recent = m.recent[max(0, len(m.recent)-dashboardTicker):]
		if isAll = count < len(m.events); isAll {
			break
		}
	}
	if !isAll {
		m.reader = nil // the next time from there on
	}
	if m.eventsAt > 0 && status.Events > m.eventsAt+uint64(fresh) { //nolint:gosec // not negative
		m.skipped += status.Events - m.eventsAt - uint64(fresh) //nolint:gosec // not negative
	}
	m.eventsAt = max(status.Events, 1)
	if fresh > 0 {
		d := &m.server.dashboard
		d.tell(messageEvents, m.appendEvents(nil, status, min(fresh, len(m.recent))))
		d.keep(messageEvents, m.appendEvents(nil, status, len(m.recent)))
	}
}

// backlog is how many places back the first events shown may be.
const backlog = 4096

// openReader opens a reader: the first a little in the past, later ones where the order is.
func (m *sampler) openReader(status *engine.Status) bool {
	at := status.Sequenced
	for _, applied := range status.Applied {
		at = min(at, applied)
	}
	if m.eventsAt == 0 {
		at -= min(at, backlog)
	}
	reader, err := m.server.engine.EventsFrom(at, afterAll)
	if gone := (*engine.HistoryError)(nil); errors.As(err, &gone) {
		reader, err = m.server.engine.EventsFrom(max(gone.OldestSeq, 1)-1, afterAll)
	}
	if err != nil {
		return false
	}
	m.reader = reader
	return true
}

// readSlow has the other goroutine read what is old, if it has nothing to do.
func (m *sampler) readSlow(now time.Time) {
	perAccount := time.Duration(m.accounts.Load()) * dashboardPassCost //nolint:gosec // below 2^32
	every, poolsEvery := max(dashboardPassMin, perAccount), dashboardPassMin
	if short := m.server.dashboard.every; short > 0 {
		every, poolsEvery = 4*short, 4*short
	}
	isPassDue := now.Sub(m.passAt) >= every
	if !isPassDue && now.Sub(m.poolsAt) < poolsEvery {
		return
	}
	select {
	case m.slow <- struct{}{}:
	default:
		return
	}
	m.poolsAt = now
	if isPassDue {
		m.passAt = now
	}
	go func() {
		defer func() { <-m.slow }()
		m.readPools()
		if isPassDue {
			m.readTotals()
		}
	}()
}

// readPools tells the pools, and the markets if any was listed.
func (m *sampler) readPools() {
	if l, err := m.server.readPools(); err == nil {
		m.server.dashboard.tell(messagePools, appendPools(nil, l))
	}
	if l, err := m.server.static(); err == nil && l != m.kept {
		m.kept = l
		m.server.dashboard.tell(messageMarkets, appendMarketNames(nil, l))
	}
}

// readTotals takes a pass over all accounts.
func (m *sampler) readTotals() {
	view, seq, err := m.server.engine.Totals(dashboardNearest)
	if err != nil {
		return
	}
	m.server.passes.keepTotals(view, seq)
	m.accounts.Store(view.Accounts)
	m.server.dashboard.tell(messageTotals, m.server.appendHeat(nil, m.ms(time.Now()), view))
}

// ms returns how long the sampler has run, in ms: the clock of its messages.
func (m *sampler) ms(now time.Time) int64 { return now.Sub(m.began).Milliseconds() }
