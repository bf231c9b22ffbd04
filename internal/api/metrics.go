package api

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

const (
	// totalsEvery is how far apart the passes over all accounts are, at least, that scrapes
	// have begun: a pass takes a fraction of a second of a core for a million accounts.
	totalsEvery = 15 * time.Second
	// labelledMax bounds the rows of one family that are labelled by token.
	labelledMax = 256
	// scrapeBytes is what a scrape takes, about.
	scrapeBytes = 128 << 10
)

// totalsKeeper keeps the last finished pass over all accounts, whoever asked for it.
type totalsKeeper struct {
	mu        sync.Mutex
	view      *risk.TotalsView // shared, not to be changed; nil before the first
	seq       uint64
	at        time.Time // when it was finished
	began     time.Time // when the last that a scrape asked for was
	isRunning bool      // that one
	wait      sync.WaitGroup
}

// keepTotals takes note of a finished pass.
func (k *totalsKeeper) keepTotals(view *risk.TotalsView, seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.view == nil || seq >= k.seq {
		k.view, k.seq, k.at = view, seq, time.Now()
	}
}

// last returns the last finished pass, and has another begun if that is long ago. Nobody
// waits for it: it is there at the next scrape.
func (k *totalsKeeper) last(s *Server) (view *risk.TotalsView, seq uint64, age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if !k.isRunning && !s.isClosing() && now.Sub(k.began) >= totalsEvery && now.Sub(k.at) >= totalsEvery {
		k.isRunning, k.began = true, now
		k.wait.Go(func() {
			view, seq, err := s.engine.Totals(0)
			if err == nil {
				k.keepTotals(view, seq)
			}
			k.mu.Lock()
			k.isRunning = false
			k.mu.Unlock()
		})
	}
	return k.view, k.seq, now.Sub(k.at)
}

// end waits for a pass that is under way, as long as ctx lets it.
func (k *totalsKeeper) end(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		k.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("api: a pass over all accounts is not over")
	}
}

// metrics answers GET /metrics. It takes no pass over accounts and asks for no state hash: it
// reads what is counted, and once, in the order, the listings with their pools.
func (s *Server) metrics(ctx *fasthttp.RequestCtx) {
	t := &metrics.Text{Buffer: make([]byte, 0, scrapeBytes)}
	s.writeProcess(t)
	s.writeHTTP(t)
	if s.isOpen.Load() { // pairs with Store in Open
		s.writeEngine(t)
		s.writeTotals(t)
		s.writePools(t)
	}
	s.stamp(ctx, s.lastSeq.Load())
	ctx.SetContentType(metrics.ContentType)
	ctx.Response.SetBodyRaw(t.Buffer)
}

// writeProcess writes what this process is.
func (s *Server) writeProcess(t *metrics.Text) {
	t.Family("plimsoll_build_info", metrics.Gauge, "What runs; always 1.")
	t.Label("version", s.version).Label("go_version", runtime.Version()).Int(1)
	t.Family("plimsoll_ready", metrics.Gauge, "1 when GET /readyz answers 200.")
	t.Bool(s.unready() == nil)
	t.Family("plimsoll_uptime_seconds", metrics.Gauge, "Since the HTTP server was made.")
	t.Seconds(time.Since(s.made).Nanoseconds())
	t.Family("plimsoll_slow_requests_total", metrics.Counter,
		"Requests of commands that took longer than the threshold of the slow log.")
	t.Uint(s.slow.slow.Load())
	writeRuntime(t)
}

// writeEngine writes what the pipeline tells of itself.
func (s *Server) writeEngine(t *metrics.Text) {
	if e := s.telemetry; e != nil {
		for _, c := range engine.Counters() {
			info := c.Info()
			t.Family("plimsoll_"+info.Name, metrics.Counter, info.About)
			t.Uint(e.Count(c))
		}
		s.writeStages(t, e)
		t.Family("plimsoll_journal_oldest_frame_seconds", metrics.Gauge,
			"For how long the oldest frame in flight has waited for the disk; 0 when there is none.")
		t.Seconds(e.JournalAge())
	}
	status := s.engine.Status()
	writePlaces(t, &status)
	writeBands(t, &status.Bands)
	s.writeJournal(t, &status)
}

// writeStages writes how long the stages take.
func (s *Server) writeStages(t *metrics.Text, e telemetry) {
	t.Family("plimsoll_stage_duration_seconds", metrics.HistogramType,
		"How long commands are in each stage: one record of 128 is timed and stands for all; apply counts once a shard.")
	stage := func(name string, add func(*metrics.Snapshot)) {
		var sum metrics.Snapshot
		add(&sum)
		t.Label("stage", name).Histogram(&sum)
	}
	stage("decode", s.meter.decode.AddTo)
	for _, n := range []engine.Stage{
		engine.StageRingWait, engine.StageJournal, engine.StageApply, engine.StageGate, engine.StageWake,
	} {
		stage(n.Info().Name, func(sum *metrics.Snapshot) { e.AddLatency(n, sum) })
	}
	stage("encode", s.meter.encode.AddTo)
	for _, x := range []struct {
		name, help string
		stage      engine.Stage
	}{
		{
			"plimsoll_pipeline_duration_seconds",
			"From the claim in ingress until egress lets a command out, timed as stages are.", engine.StagePipeline,
		},
		{
			"plimsoll_tick_event_duration_seconds",
			"From a price tick's claim in ingress until its public events can be read; ticks without events do not count.",
			engine.StageTickEvent,
		},
		{
			"plimsoll_journal_frame_duration_seconds",
			"From a frame's append until it is durable; every frame counts.", engine.StageFrame,
		},
	} {
		t.Family(x.name, metrics.HistogramType, x.help)
		var sum metrics.Snapshot
		e.AddLatency(x.stage, &sum)
		t.Histogram(&sum)
	}
}

// writePlaces writes how far the stages are, and what waits between them.
func writePlaces(t *metrics.Text, status *engine.Status) {
	t.Family("plimsoll_sequence_sequenced", metrics.Gauge, "Last place of the order that was given.")
	t.Uint(status.Sequenced)
	t.Family("plimsoll_sequence_durable", metrics.Gauge, "Last place that is durable.")
	t.Uint(status.Durable)
	t.Family("plimsoll_sequence_applied", metrics.Gauge, "Last place that a shard has applied.")
	for shard, applied := range status.Applied {
		t.Label("shard", strconv.Itoa(shard)).Uint(applied)
	}
	t.Family("plimsoll_shard_lag_commands", metrics.Gauge, "Durable places that a shard has not applied yet.")
	for shard, applied := range status.Applied {
		t.Label("shard", strconv.Itoa(shard)).Uint(status.Durable - min(applied, status.Durable))
	}
	t.Family("plimsoll_ring_depth_records", metrics.Gauge,
		"Records that wait: for the sequencer, for the journal, for the slowest of shards and egress.")
	t.Label("ring", "ingress").Int(int64(status.IngressDepth))
	t.Label("ring", "sequence").Int(int64(status.SequenceDepth))
	t.Label("ring", "broadcast").Int(int64(status.BroadcastDepth))
	t.Family("plimsoll_outbox_depth_events", metrics.Gauge, "Events of a shard that egress has not merged.")
	for shard, depth := range status.OutboxDepths {
		t.Label("shard", strconv.Itoa(shard)).Int(int64(depth))
	}
}

// writeBands writes what the safe bands do.
func writeBands(t *metrics.Text, b *risk.BandStats) {
	t.Family("plimsoll_band_accounts", metrics.Gauge, "Accounts with a safe band, and accounts that every tick looks at.")
	t.Label("state", "banded").Uint(b.Banded)
	t.Label("state", "awake").Uint(b.Awake)
	t.Family("plimsoll_band_entries", metrics.Gauge, "Entries in the price wheels.")
	t.Label("state", "live").Uint(b.Live)
	t.Label("state", "stale").Uint(b.Entries - min(b.Live, b.Entries))
	for _, x := range []struct {
		name, help string
		count      uint64
	}{
		{"plimsoll_band_popped_total", "Entries whose bound a price has passed.", b.Popped},
		{"plimsoll_band_woken_total", "Accounts evaluated by a tick that did not sweep.", b.Woken},
		{"plimsoll_band_rebanded_total", "Bands computed.", b.Rebanded},
		{"plimsoll_band_sweeps_total", "Ticks that passed over all accounts.", b.Sweeps},
		{"plimsoll_band_audited_total", "Accounts compared with what their bands claim.", b.Audited},
	} {
		t.Family(x.name, metrics.Counter, x.help)
		t.Uint(x.count)
	}
	t.Family("plimsoll_band_audit_misses", metrics.Gauge, "Accounts that the audit has found wrong since the start: must stay 0.")
	t.Uint(b.Misses)
}

// writeJournal writes what is on disk.
func (s *Server) writeJournal(t *metrics.Text, status *engine.Status) {
	t.Family("plimsoll_journal_read_only", metrics.Gauge, "1 while the disk is too full to take commands.")
	t.Bool(status.ReadOnly)
	if free, ok := s.free(); ok {
		t.Family("plimsoll_journal_free_bytes", metrics.Gauge, "Bytes that the disk of the journal has left.")
		t.Uint(free)
		t.Family("plimsoll_journal_free_low_bytes", metrics.Gauge, "Free bytes below which no commands are taken; 0 when not told.")
		t.Uint(s.freeLow)
	}
	if e, ok := s.engine.(interface{ JournalBytesSinceSnapshot() uint64 }); ok && !status.NothingIsKept {
		t.Family("plimsoll_journal_since_snapshot_bytes", metrics.Gauge,
			"Bytes journaled since the last snapshot: what a restart has to replay.")
		t.Uint(e.JournalBytesSinceSnapshot())
	}
	if !status.NothingIsKept {
		t.Family("plimsoll_recovery_duration_seconds", metrics.Gauge, "How long the start of this process took to recover.")
		t.Seconds(int64(status.Recovery.Seconds * float64(time.Second)))
		t.Family("plimsoll_recovery_commands", metrics.Gauge, "Commands that the start of this process replayed.")
		t.Uint(status.Recovery.Commands)
	}
	if info := status.LastSnapshot; info != nil {
		t.Family("plimsoll_snapshot_sequence", metrics.Gauge, "Place of the order that the newest snapshot holds.")
		t.Uint(info.Seq)
		t.Family("plimsoll_snapshot_size_bytes", metrics.Gauge, "Size of the newest snapshot.")
		t.Int(info.Bytes)
		t.Family("plimsoll_snapshot_write_duration_seconds", metrics.Gauge,
			"How long it took to write; 0 of one that another process wrote.")
		t.Seconds(int64(info.Seconds * float64(time.Second)))
		t.Family("plimsoll_snapshot_timestamp_seconds", metrics.Gauge, "When it was published, since 1970 UTC.")
		t.Seconds(info.TakenUnixMs * int64(time.Millisecond))
	}
}

// writeTotals writes what the last finished pass over all accounts has counted.
func (s *Server) writeTotals(t *metrics.Text) {
	view, seq, age := s.passes.last(s)
	if view == nil {
		return
	}
	t.Family("plimsoll_totals_age_seconds", metrics.Gauge,
		"Age of the pass that the families of accounts, sums and the ledger are from.")
	t.Seconds(age.Nanoseconds())
	t.Family("plimsoll_totals_sequence", metrics.Gauge, "Place of the order that they are as of.")
	t.Uint(seq)
	t.Family("plimsoll_accounts", metrics.Gauge, "Accounts by health.")
	for band, count := range view.Health {
		t.Label("health", risk.Health(band).String()).Uint(count)
	}
	t.Family("plimsoll_accounts_lending", metrics.Gauge, "Accounts by the health of their debts.")
	for state, count := range view.Lending {
		t.Label("health", lendingHealthName(risk.LendingHealth(state))).Uint(count)
	}
	t.Family("plimsoll_accounts_negative_equity", metrics.Gauge, "Accounts with an equity below zero somewhere.")
	t.Uint(view.Negative)
	t.Family("plimsoll_positions", metrics.Gauge, "Open positions.")
	t.Uint(view.Positions)
	for _, x := range []struct {
		name, help string
		amount     fixedpoint.Int128
	}{
		{"plimsoll_equity_value", "Equity of all accounts, in the quote currency.", view.Equity},
		{"plimsoll_notional_value", "Notional of all positions, in the quote currency.", view.Notional},
		{"plimsoll_maintenance_margin_value", "Maintenance margin of all accounts, in the quote currency.", view.Maintenance},
	} {
		t.Family(x.name, metrics.Gauge, x.help)
		t.Decimal(decimalOf(risk.Amount{V: x.amount, Decimals: view.Decimals}))
	}
	l, err := s.static()
	if err != nil {
		return
	}
	t.Family("plimsoll_ledger_difference", metrics.Gauge, "What came in less where it stands, in units of the token: must be 0.")
	rows := 0
	for slot := range view.Tokens {
		token := &view.Tokens[slot]
		if name := l.token(uint32(slot)).Name; token.IsListed && name != "" && rows < labelledMax { //nolint:gosec // below TokensMax
			rows++
			t.Label("token", name).Decimal(decimalOf(risk.Amount{V: token.Difference(), Decimals: token.Decimals}))
		}
	}
}

// writePools writes the lending pools, at most labelledMax of them.
func (s *Server) writePools(t *metrics.Text) {
	l, err := s.readPools()
	if err != nil {
		return // the engine has stopped: /readyz says so
	}
	var pools []*risk.TokenView
	for i := range l.tokens {
		if token := &l.tokens[i]; token.HasPool && token.Name != "" && len(pools) < labelledMax {
			pools = append(pools, token)
		}
	}
	for _, x := range []struct {
		name, help string
		of         func(*risk.PoolView) risk.Amount
	}{
		{
			"plimsoll_pool_utilization_ratio",
			"Borrowed part of what is supplied.", func(p *risk.PoolView) risk.Amount { return p.Utilization },
		},
		{
			"plimsoll_pool_borrow_rate_ratio",
			"Yearly rate that borrowers pay.", func(p *risk.PoolView) risk.Amount { return p.BorrowRate },
		},
		{
			"plimsoll_pool_supply_rate_ratio",
			"Yearly rate that suppliers get.", func(p *risk.PoolView) risk.Amount { return p.SupplyRate },
		},
		{
			"plimsoll_pool_supplied_tokens",
			"What is supplied, in units of the token.", func(p *risk.PoolView) risk.Amount { return p.TotalSupplied },
		},
		{
			"plimsoll_pool_borrowed_tokens",
			"What is borrowed, in units of the token.", func(p *risk.PoolView) risk.Amount { return p.TotalBorrowed },
		},
		{
			"plimsoll_pool_cash_tokens",
			"What can leave, in units of the token.", func(p *risk.PoolView) risk.Amount { return p.Balance },
		},
	} {
		t.Family(x.name, metrics.Gauge, x.help)
		for _, token := range pools {
			if amount := x.of(&token.Pool); !amount.IsNull {
				t.Label("token", token.Name).Decimal(decimalOf(amount))
			}
		}
	}
}

// readPools reads the tokens with their pools, as readListing does without the rest, whose
// perps and markets take a hundred times as long.
func (s *Server) readPools() (*listing, error) {
	l := &listing{dir: s.dir}
	byShard := make([][]risk.Totals, s.shards)
	_, err := s.engine.ReadAll(func(shard int, m *risk.Machine) { byShard[shard] = m.ReadTotals(nil) })
	if err != nil {
		return nil, err
	}
	sums := byShard[0]
	for _, own := range byShard[1:] {
		for i := range min(len(own), len(sums)) {
			sums[i] = sums[i].Add(own[i])
		}
	}
	l.seq, err = s.engine.Read(0, func(m *risk.Machine) { l.copyTokens(m, sums) })
	return l, err
}

func decimalOf(a risk.Amount) string {
	return string(fixedpoint.AppendDecimal128(nil, a.V, a.Decimals))
}
