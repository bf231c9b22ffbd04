package engine

import (
	"slices"
	"time"

	"plimsoll/risk"
)

// A tick looks at woken accounts one by one, or passes over all: the latter costs less per
// account and more in all. Where the one becomes dearer than the other depends on caches,
// on how many positions accounts have, and on how many of them a pass is quickly done with.
// So it is measured, on the shard's own accounts, at start and whenever there are ten times
// as many; in pieces between groups once it runs. Which way a tick goes changes no outcome,
// so this, and the share of time that totals take, is all that may look at a clock in a shard.

const (
	gaugeLeast    = 256  // accounts of a shard below which nothing is measured
	gaugeGrowth   = 10   // times as many accounts, and it is measured again
	gaugeWoken    = 32   // accounts of a sample that are woken one by one: cold, 1 us each at most
	gaugePassed   = 1024 // accounts of a sample of the pass, 5 ns each, and prices for 2 us
	gaugeSamples  = 15   // of either; the median counts
	gaugeStartMax = 5 * time.Millisecond
)

// gauge measures where passing over all accounts becomes cheaper.
type gauge struct {
	accounts int // of the shard when it was begun; 0 = never
	taken    int // samples of either, below gaugeSamples while it runs
	from     int // where the next sample looks
	wakeNs   [gaugeSamples]time.Duration
	passNs   [gaugeSamples]time.Duration
	sum      uint64 // of what was looked at, so that it is looked at
}

func (g *gauge) isRunning() bool { return g.accounts > 0 && g.taken < gaugeSamples }

// regauge begins to measure when there are many more accounts than last time.
func (s *shard) regauge() {
	if s.real == nil || s.cfg.Detect == risk.DetectSweep {
		return
	}
	g := &s.bands.gauge
	accounts := int(s.real.AccountCount()) / len(s.all)
	if accounts >= gaugeLeast && accounts >= gaugeGrowth*g.accounts {
		*g = gauge{accounts: accounts, sum: g.sum}
	}
}

// gaugeStep takes one sample of either, and after the last sets where a tick sweeps.
func (s *shard) gaugeStep() {
	g := &s.bands.gauge
	start := time.Now()
	g.sum += s.real.ProbeWake(g.from, gaugeWoken)
	between := time.Now()
	g.sum += s.real.ProbePass(g.from*gaugePassed, gaugePassed)
	g.wakeNs[g.taken], g.passNs[g.taken] = between.Sub(start), time.Since(between)
	g.from += gaugeWoken
	if g.taken++; g.taken == gaugeSamples {
		s.real.SetSweepAbove(g.sweepAbove())
	}
}

// sweepAbove returns how many woken accounts cost as much as a pass over all.
func (g *gauge) sweepAbove() int {
	slices.Sort(g.wakeNs[:])
	slices.Sort(g.passNs[:])
	wake := max(1, g.wakeNs[gaugeSamples/2]) * gaugePassed
	pass := max(1, g.passNs[gaugeSamples/2]) * gaugeWoken
	return max(1, int(int64(g.accounts)*int64(pass)/int64(wake)))
}

// gaugeAll measures before the first group, on all shards if that is quickly done; what is
// left is measured between groups.
func (e *Engine) gaugeAll() {
	start := time.Now()
	for _, s := range e.shards {
		s.regauge()
		for s.bands.gauge.isRunning() && time.Since(start) < gaugeStartMax {
			s.gaugeStep()
		}
	}
}
