package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// figures are what the demo shows: all of it read from the engine or measured.
type figures struct {
	sums     risk.Sums
	buffer   fixedpoint.Int128 // of the settlement token's pool, at 1e-8
	events   *watcher          // counts what it reads of /v1/events
	ticks    uint64
	elapsed  time.Duration // since the first tick
	lately   uint64        // ticks since the last figures
	latelyIn time.Duration
	times    *histogram
	marketMs int64
	ratios   []ratioNow
}

// ratioNow is one captured portfolio account.
type ratioNow struct {
	capture string
	account string
	slot    uint32
	atPrice string // our ratio at the captured prices
	venue   string // the venue's own figure there
	now     string
}

// remargined returns how many accounts a tick passes over: those that hold anything a
// price can move.
func (f *figures) remargined() uint64 { return f.sums.Accounts - f.sums.Bands[risk.HealthNone] }

// readSums sweeps all accounts at one place in the order.
func (d *daemon) readSums() (risk.Sums, error) {
	byShard := make([]risk.Sums, d.shards)
	_, err := d.engine.ReadAll(func(shard int, m *risk.Machine) { m.ReadSums(&byShard[shard]) })
	var sum risk.Sums
	for i := range byShard {
		sum.Add(&byShard[i])
	}
	return sum, err
}

// readRatio returns an account's portfolio margin ratio as /info shows it.
func (d *daemon) readRatio(slot uint32) (string, error) {
	var v risk.AccountView
	isOpen := false
	_, err := d.engine.Read(slot, func(m *risk.Machine) { isOpen = m.ReadAccount(slot, &v) })
	switch ratio := v.Margin.PortfolioMarginRatio; {
	case err != nil:
		return "", err
	case !isOpen:
		return "", fmt.Errorf("demo: account slot %d is not open", slot)
	case v.Margin.RatioIsInfinite:
		return "infinite", nil
	default:
		return string(fixedpoint.AppendDecimal128(nil, ratio.V, ratio.Decimals)), nil
	}
}

// screen prints the live table: on a terminal in place, elsewhere a row a second.
type screen struct {
	w          io.Writer
	isTerminal bool
	height     int // lines of the panel printed last
	rows       int
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	if file, ok := w.(*os.File); ok {
		info, err := file.Stat()
		s.isTerminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

func (s *screen) line(format string, args ...any) { printf(s.w, format+"\n", args...) }

// show prints the figures of this moment.
func (s *screen) show(f *figures) {
	if !s.isTerminal {
		s.row(f)
		return
	}
	lines := panel(f)
	if s.height > 0 {
		printf(s.w, "\x1b[%dA", s.height)
	}
	for _, line := range lines {
		printf(s.w, "\x1b[2K%s\n", line)
	}
	s.height = len(lines)
}

// panel returns the lines of the table.
func panel(f *figures) []string {
	b := &f.sums.Bands
	lines := []string{
		"",
		fmt.Sprintf("ticks        %s/s, %s so far; market time %s",
			rateText(f.lately, f.latelyIn), countText(f.ticks), marketText(f.marketMs)),
		fmt.Sprintf("per tick     p50 %s, p99 %s, longest %s",
			spanText(f.times.quantile(500)), spanText(f.times.quantile(990)), spanText(f.times.longest)),
		fmt.Sprintf("re-margined  %s accounts a tick, %s accounts/s",
			countText(f.remargined()), perSecondText(f.lately*f.remargined(), f.latelyIn)),
		fmt.Sprintf("events       %s read from /v1/events, %s gaps", countText(f.events.events.Load()), countText(f.events.gaps.Load())),
		fmt.Sprintf("health       healthy %s   at risk %s   liquidatable %s   backstop %s   idle %s",
			countText(b[risk.HealthHealthy]), countText(b[risk.HealthAtRisk]), countText(b[risk.HealthLiquidatable]),
			countText(b[risk.HealthBackstop]), countText(b[risk.HealthNone])),
		f.liquidationLine(),
		fmt.Sprintf("totals       equity %s USD, notional %s USD, maintenance margin %s USD, %s positions",
			dollarText(f.sums.Equity), dollarText(f.sums.Notional), dollarText(f.sums.Maintenance), countText(f.sums.Positions)),
		fmt.Sprintf("%-34s  %-14s  %-22s  %s", "portfolio margin ratio", "now", "at the captured prices", "the venue said"),
	}
	for i := range f.ratios {
		r := &f.ratios[i]
		lines = append(lines, fmt.Sprintf("  %-32s  %-14s  %-22s  %s", r.capture, r.now, r.atPrice, r.venue))
	}
	return lines
}

// liquidationLine says what liquidations came to so far.
func (f *figures) liquidationLine() string {
	e := f.events
	return fmt.Sprintf("liquidations %s begun, %s ended; %s positions taken over, %s deleveraged, %s losses covered; buffer %s USD",
		countText(e.begun.Load()), countText(e.ended.Load()), countText(e.takenOver.Load()),
		countText(e.deleveraged.Load()), countText(e.covered.Load()), dollarText(f.buffer))
}

// Columns of a row, head and figures alike.
const columns = "%9s %8s %9s %9s %9s %13s %15s %11s %9s %12s %9s %18s"

// row prints one line, and from time to time what its columns are.
func (s *screen) row(f *figures) {
	const rowsPerHead = 20
	var text strings.Builder
	if s.rows%rowsPerHead == 0 {
		printf(&text, columns, "market", "ticks/s", "p50", "p99", "longest", "accounts/tick", "accounts/s", "healthy",
			"at risk", "liquidatable", "backstop", "equity USD")
		for i := range f.ratios {
			printf(&text, "  %s", ratioHead(&f.ratios[i]))
		}
		text.WriteByte('\n')
	}
	s.rows++
	b := &f.sums.Bands
	printf(&text, columns, marketText(f.marketMs), rateText(f.lately, f.latelyIn), spanText(f.times.quantile(500)),
		spanText(f.times.quantile(990)), spanText(f.times.longest), countText(f.remargined()),
		perSecondText(f.lately*f.remargined(), f.latelyIn), countText(b[risk.HealthHealthy]), countText(b[risk.HealthAtRisk]),
		countText(b[risk.HealthLiquidatable]), countText(b[risk.HealthBackstop]), dollarText(f.sums.Equity))
	for i := range f.ratios {
		printf(&text, "  %*s", len(ratioHead(&f.ratios[i])), f.ratios[i].now)
	}
	s.line("%s", text.String())
}

// ratioHead heads the column of a captured account: "lifi (venue 0.133131833)".
func ratioHead(r *ratioNow) string { return shortName(r.capture) + " (venue " + r.venue + ")" }

// shortName returns the source of a capture: "lifi" of "lifi_portfolio_margin".
func shortName(capture string) string {
	short, _, _ := strings.Cut(capture, "_")
	return short
}

// perSecondE2 returns n per second in hundredths.
func perSecondE2(n uint64, in time.Duration) int64 {
	v, ok := fixedpoint.MulDivFloor(int64(n), 100*int64(time.Second), max(1, in.Nanoseconds()))
	if !ok {
		return 0
	}
	return v
}

func rateText(n uint64, in time.Duration) string { return decimalText(perSecondE2(n, in), 2) }

func perSecondText(n uint64, in time.Duration) string {
	return countText(uint64(perSecondE2(n, in) / 100))
}

func marketText(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Truncate(time.Second).String()
}

// spanText prints a duration to three figures.
func spanText(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	default:
		return d.Round(100 * time.Nanosecond).String()
	}
}

// dollarText prints whole dollars of an amount at 1e-8.
func dollarText(v fixedpoint.Int128) string {
	whole, ok := v.Abs().Lo, v.Abs().Hi == 0
	if !ok { // more than 184 billion dollars
		text := fixedpoint.AppendDecimalPlaces128(nil, v, 8, 0)
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return string(text)
		}
		return signText(n < 0) + countText(uint64(max(n, -n)))
	}
	return signText(v.Sign() < 0) + countText(whole/100_000_000)
}

func signText(isNegative bool) string {
	if isNegative {
		return "-"
	}
	return ""
}

// residentBytes returns the memory that the process occupies: as the kernel counts it, or
// where there is none to ask what Go took.
func residentBytes() uint64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
				return pages * uint64(os.Getpagesize())
			}
		}
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Sys
}

// summary is the JSON line of --json.
type summary struct {
	Version           string            `json:"version"`
	Accounts          uint64            `json:"accounts"`
	Synthetic         int               `json:"synthetic_accounts"`
	Positions         uint64            `json:"positions"`
	Shards            int               `json:"shards"`
	Seed              uint64            `json:"seed"`
	LoadSeconds       json.Number       `json:"load_seconds"`
	LoadPerSecond     json.Number       `json:"load_accounts_per_second"`
	Seconds           json.Number       `json:"seconds"`
	MarketSeconds     json.Number       `json:"market_seconds"`
	Ticks             uint64            `json:"ticks"`
	TicksPerSecond    json.Number       `json:"ticks_per_second"`
	TickNsP50         int64             `json:"tick_ns_p50"`
	TickNsP99         int64             `json:"tick_ns_p99"`
	TickNsMax         int64             `json:"tick_ns_max"`
	AccountsPerTick   uint64            `json:"accounts_per_tick"`
	AccountsPerSecond json.Number       `json:"accounts_per_second"`
	Events            uint64            `json:"events"`     // read over HTTP while ticks were streamed
	EventGaps         uint64            `json:"event_gaps"` // times that they were overwritten before that
	Begun             uint64            `json:"liquidations_begun"`
	Ended             uint64            `json:"liquidations_ended"`
	TakenOver         uint64            `json:"positions_taken_over"`
	Deleveraged       uint64            `json:"positions_deleveraged"`
	Covered           uint64            `json:"losses_covered"`
	BufferUSD         string            `json:"buffer_usd"`
	Negative          uint64            `json:"accounts_below_zero"`
	Bands             map[string]uint64 `json:"bands"`
	EquityUSD         string            `json:"equity_usd"`
	NotionalUSD       string            `json:"notional_usd"`
	MaintenanceUSD    string            `json:"maintenance_margin_usd"`
	Captured          []summaryRatio    `json:"captured"`
	RSSBytes          uint64            `json:"rss_bytes"`
	RSSBytesEmpty     uint64            `json:"rss_bytes_before_accounts"`
	BytesPerAccount   uint64            `json:"bytes_per_account"`
	NothingIsKept     bool              `json:"nothing_is_kept"`
}

type summaryRatio struct {
	Account    string `json:"account"`
	Capture    string `json:"capture"`
	Ratio      string `json:"ratio"`       // at the captured prices
	VenueRatio string `json:"venue_ratio"` // the venue's own figure
	RatioNow   string `json:"ratio_now"`   // after the last tick
}

// summarise fills what the figures tell.
func (f *figures) summarise(s *summary) {
	s.Accounts, s.Positions = f.sums.Accounts, f.sums.Positions
	s.Seconds, s.MarketSeconds = secondsNumber(f.elapsed), secondsNumber(time.Duration(f.marketMs)*time.Millisecond)
	s.Ticks, s.TicksPerSecond = f.ticks, json.Number(rateText(f.ticks, f.elapsed))
	s.TickNsP50, s.TickNsP99, s.TickNsMax = f.times.quantile(500), f.times.quantile(990), f.times.longest
	s.AccountsPerTick = f.remargined()
	s.Events, s.EventGaps = f.events.events.Load(), f.events.gaps.Load()
	s.Begun, s.Ended, s.TakenOver = f.events.begun.Load(), f.events.ended.Load(), f.events.takenOver.Load()
	s.Deleveraged, s.Covered = f.events.deleveraged.Load(), f.events.covered.Load()
	s.BufferUSD = string(fixedpoint.AppendDecimal128(nil, f.buffer, 8))
	s.AccountsPerSecond = json.Number(rateText(f.ticks*f.remargined(), f.elapsed))
	s.Bands = map[string]uint64{}
	for band, count := range f.sums.Bands {
		s.Bands[risk.Health(band).String()] = count
	}
	s.EquityUSD = string(fixedpoint.AppendDecimal128(nil, f.sums.Equity, 8))
	s.NotionalUSD = string(fixedpoint.AppendDecimal128(nil, f.sums.Notional, 8))
	s.MaintenanceUSD = string(fixedpoint.AppendDecimal128(nil, f.sums.Maintenance, 8))
	s.Captured = []summaryRatio{}
	for i := range f.ratios {
		r := &f.ratios[i]
		s.Captured = append(s.Captured, summaryRatio{
			Account: r.account, Capture: r.capture, Ratio: r.atPrice, VenueRatio: r.venue, RatioNow: r.now,
		})
	}
	s.RSSBytes = residentBytes()
	s.BytesPerAccount = s.RSSBytes / max(1, s.Accounts)
}

func secondsNumber(d time.Duration) json.Number { return json.Number(decimalText(d.Milliseconds(), 3)) }
