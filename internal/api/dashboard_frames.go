package api

import (
	"strconv"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

// appendHello writes what does not change while a stream lasts.
func (m *sampler) appendHello(dst []byte) []byte {
	s := m.server
	dst = appendTextField(append(dst, '{'), "version", s.version)
	dst = appendIntField(dst, "shards", int64(s.shards))
	dst = appendIntField(dst, "started", s.made.UnixMilli())
	dst = append(appendKey(dst, "health"), '[')
	for h := range risk.HealthCount {
		dst = appendText(appendSep(dst), h.String())
	}
	return append(dst, ']', '}')
}

// appendFrame writes what is counted. Counts are since the start of the process, ms since the
// sampler's: the page makes rates of two frames. Durations are in ns.
func (m *sampler) appendFrame(dst []byte, now time.Time, status *engine.Status) []byte {
	s := m.server
	dst = appendIntField(append(dst, '{'), "ms", m.ms(now))
	dst = appendUintField(dst, "sequenced", status.Sequenced)
	dst = appendUintField(dst, "durable", status.Durable)
	dst = append(appendKey(dst, "applied"), '[')
	for _, applied := range status.Applied {
		dst = strconv.AppendUint(appendSep(dst), applied, 10)
	}
	dst = append(appendKey(append(dst, ']'), "rings"), '{')
	dst = appendIntField(dst, "ingress", int64(status.IngressDepth))
	dst = appendIntField(dst, "sequence", int64(status.SequenceDepth))
	dst = appendIntField(dst, "broadcast", int64(status.BroadcastDepth))
	dst = append(appendKey(append(dst, '}'), "outboxes"), '[')
	for _, depth := range status.OutboxDepths {
		dst = appendInt(appendSep(dst), int64(depth))
	}
	dst = append(appendKey(append(dst, ']'), "counts"), '{')
	if e := s.telemetry; e != nil {
		for _, c := range []engine.Counter{
			engine.CounterAnswered, engine.CounterRefused, engine.CounterReads, engine.CounterBusy, engine.CounterFrames,
		} {
			dst = appendUintField(dst, c.Info().Name, e.Count(c))
		}
	}
	dst = appendUintField(dst, "events_total", status.Events)
	dst = appendUintField(dst, "requests_total", s.meter.answered())
	dst = append(appendKey(append(dst, '}'), "stages"), '[')
	for i := range m.stages {
		dst = m.appendStage(appendSep(dst), i)
	}
	dst = append(appendKey(append(dst, ']'), "bands"), '{')
	dst = appendUintField(dst, "banded", status.Bands.Banded)
	dst = appendUintField(dst, "awake", status.Bands.Awake)
	dst = appendUintField(dst, "woken", status.Bands.Woken)
	dst = appendUintField(dst, "sweeps", status.Bands.Sweeps)
	dst = appendUintField(dst, "audited", status.Bands.Audited)
	dst = appendUintField(dst, "misses", status.Bands.Misses)
	dst = append(dst, '}')
	if s.telemetry != nil {
		dst = appendIntField(dst, "journal_age", s.telemetry.JournalAge())
	}
	dst = appendBoolField(dst, "nothing_is_kept", status.NothingIsKept)
	dst = appendBoolField(dst, "read_only", status.ReadOnly)
	dst = appendIntField(dst, "viewers", int64(s.dashboard.viewerCount()))
	return append(appendIntField(dst, "event_streams", int64(s.streams.Load())), '}')
}

// appendStage writes the percentiles of one stage over the last seconds.
func (m *sampler) appendStage(dst []byte, i int) []byte {
	var sum metrics.Snapshot
	m.stages[i].add(&sum)
	sum.Sub(&m.older[i])
	dst = appendTextField(append(dst, '{'), "stage", m.stages[i].name)
	dst = appendUintField(dst, "count", sum.Count)
	if sum.Count > 0 {
		for _, q := range [...]struct {
			name       string
			millionths uint64
		}{{"p50", 500_000}, {"p90", 900_000}, {"p99", 990_000}, {"p999", 999_000}} {
			dst = appendIntField(dst, q.name, sum.Quantile(q.millionths))
		}
	}
	return append(dst, '}')
}

// answered returns how many requests were answered so far.
func (m *httpMeter) answered() (count uint64) {
	for n := range m.stripes {
		for row := range m.stripes[n].requests {
			for i := range statusTable {
				count += m.stripes[n].requests[row][i].Load()
			}
		}
	}
	return count
}

// appendEvents writes the last so many events, oldest first.
func (m *sampler) appendEvents(dst []byte, status *engine.Status, count int) []byte {
	dst = appendUintField(append(dst, '{'), "total", status.Events)
	dst = appendUintField(dst, "skipped", m.skipped)
	dst = append(appendKey(dst, "events"), '[')
	for i := len(m.recent) - count; i < len(m.recent); i++ {
		dst = appendEvent(appendSep(dst), &m.recent[i], m.server.dir)
	}
	return append(dst, ']', '}')
}

// appendPools writes the pools as GET /v1/pools does.
func appendPools(dst []byte, l *listing) []byte {
	dst = appendUintField(append(dst, '{'), "seq", l.seq)
	dst = appendIntField(dst, "time", l.timeMs)
	dst = append(appendKey(dst, "pools"), '[')
	for _, t := range l.tokensByIndex() {
		if t.HasPool {
			dst = append(appendPool(append(appendSep(dst), '{'), t), '}')
		}
	}
	return append(dst, ']', '}')
}

// appendMarketNames writes what a shock can move alone.
func appendMarketNames(dst []byte, l *listing) []byte {
	dst = append(appendKey(append(dst, '{'), "markets"), '[')
	for i := range l.perps {
		if l.perps[i].Name != "" {
			dst = appendText(appendSep(dst), l.perps[i].Name)
		}
	}
	return append(dst, ']', '}')
}

// appendHeat writes a pass over all accounts: by health a row of [step, accounts, notional],
// steps of one percent of distance, -1 past the line, 100 without a requirement.
func (s *Server) appendHeat(dst []byte, ms int64, v *risk.TotalsView) []byte {
	money := func(amount fixedpoint.Int128) risk.Amount { return risk.Amount{V: amount, Decimals: v.Decimals} }
	dst = appendIntField(append(dst, '{'), "ms", ms)
	dst = appendUintField(dst, "seq", v.Seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendUintField(dst, "accounts", v.Accounts)
	dst = appendUintField(dst, "positions", v.Positions)
	dst = appendAmountField(dst, "equity", money(v.Equity))
	dst = appendAmountField(dst, "notional", money(v.Notional))
	dst = appendAmountField(dst, "maintenance_margin", money(v.Maintenance))
	dst = appendUintField(dst, "negative_equity", v.Negative)
	dst = append(appendKey(dst, "health"), '{')
	for h, count := range v.Health {
		dst = appendUintField(dst, risk.Health(h).String(), count)
	}
	dst = append(appendKey(append(dst, '}'), "heat"), '{')
	for h := range v.Heat {
		dst = append(appendKey(dst, risk.Health(h).String()), '[')
		for n := range v.Heat[h] {
			x := &v.Heat[h][n]
			if x.Accounts == 0 {
				continue
			}
			step := int64(n)
			if n == risk.HeatBeyond {
				step = -1
			}
			dst = append(appendInt(append(appendSep(dst), '['), step), ',')
			dst = append(strconv.AppendUint(dst, x.Accounts, 10), ',')
			dst = append(appendAmount(dst, money(x.Notional)), ']')
		}
		dst = append(dst, ']')
	}
	dst = append(appendKey(append(dst, '}'), "nearest"), '[')
	for i := range min(len(v.Nearest), dashboardNearest) {
		n := &v.Nearest[i]
		dst = appendNearestFields(append(appendSep(dst), '{'), n, s.dir)
		dst = appendAmountField(dst, "equity", money(n.Equity))
		dst = append(appendAmountField(dst, "notional", money(n.Notional)), '}')
	}
	return append(dst, ']', '}')
}
