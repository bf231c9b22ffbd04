package main

import (
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

func TestDemoReachesTheVenuesRatiosAndReports(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := execute(t.Context(), nil, "demo", "--accounts", "2000", "--seconds", "2", "--json", "--listen", "127.0.0.1:0")
	if code != exitDone {
		t.Fatalf("exit code %d; stderr: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 1 {
		t.Errorf("%d lines on stdout, want the JSON line alone: %q", len(lines), stdout)
	}
	var s summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	const captures, liquidators = 9, 1
	if s.Accounts != 2000+captures+liquidators || s.Synthetic != 2000 || s.Ticks == 0 || s.TickNsP50 <= 0 || s.TickNsP99 < s.TickNsP50 ||
		s.TickNsMax < s.TickNsP99 || s.AccountsPerTick == 0 || s.RSSBytes == 0 || s.BytesPerAccount == 0 {
		t.Errorf("figures look wrong: %+v", s)
	}
	banded := uint64(0)
	for _, count := range s.Bands {
		banded += count
	}
	if banded != s.Accounts || s.Bands["healthy"] < s.Accounts*8/10 || s.Bands["at_risk"] == 0 {
		t.Errorf("bands %v of %d accounts: most healthy, a few at risk is wanted", s.Bands, s.Accounts)
	}
	for _, rate := range []json.Number{s.TicksPerSecond, s.AccountsPerSecond, s.LoadSeconds} {
		if r, ok := new(big.Rat).SetString(rate.String()); !ok || r.Sign() <= 0 {
			t.Errorf("a rate is %q, want a positive number", rate)
		}
	}
	// The venue's own figures stand in the captures, testdata/hyperliquid.
	want := map[string]string{"lifi_portfolio_margin": "0.133131833", "tula_portfolio_margin_collateral": "0.0389075208"}
	if len(s.Captured) != len(want) {
		t.Errorf("%d captured portfolio accounts, want %d", len(s.Captured), len(want))
	}
	for _, c := range s.Captured {
		if c.VenueRatio != want[c.Capture] || c.Ratio != c.VenueRatio {
			t.Errorf("%s: ratio %s at the captured prices, venue_ratio %s, want both %s", c.Capture, c.Ratio, c.VenueRatio, want[c.Capture])
		}
		if c.RatioNow == c.Ratio {
			t.Errorf("%s: the ratio did not move with the ticks", c.Capture)
		}
	}
}

func TestDemoServesWhileItTicksAndEndsOnInterrupt(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var stdout output
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, &process{
			args: []string{"demo", "--accounts", "500", "--listen", "127.0.0.1:0"}, stdout: &stdout, stderr: io.Discard,
			lookupEnv: environment(nil),
		})
	}()
	url := awaitReady(t, &stdout)
	for end := time.Now().Add(startDeadline); !strings.Contains(stdout.String(), "ticks/s") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, path := range []string{"/v1/accounts/demo-00000499/margin", "/v1/accounts/lifi_unknown/margin", "/v1/totals"} {
		status, body := get(t, url+path)
		want := http.StatusOK
		if strings.Contains(path, "unknown") {
			want = http.StatusNotFound
		}
		if status != want {
			t.Errorf("%s answers %d %s, want %d", path, status, body, want)
		}
	}
	interrupt()
	select {
	case code := <-done:
		if code != exitDone {
			t.Errorf("exit code %d, want %d", code, exitDone)
		}
	case <-time.After(startDeadline):
		t.Fatal("does not end")
	}
}

// drawn returns the records of a few hundred synthetic accounts and the group count.
func drawn(t *testing.T, seed uint64, accounts int) ([]risk.Command, *daemon) {
	t.Helper()
	d := newTestDaemon(t)
	u := universe.Embedded()
	if err := d.load(&u); err != nil {
		t.Fatal(err)
	}
	m, err := readMarket(d)
	if err != nil {
		t.Fatal(err)
	}
	captures, err := readCaptures()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSynthesizer(seed, m, &u, captures, accounts)
	if err != nil {
		t.Fatal(err)
	}
	var records []risk.Command
	for i := range accounts {
		records = s.account(records, appendAccountName(nil, i))
	}
	return records, d
}

func TestSyntheticAccountsAreRepeatableAndMixed(t *testing.T) {
	t.Parallel()
	const accounts = 3000
	records, _ := drawn(t, 7, accounts)
	again, _ := drawn(t, 7, accounts)
	other, _ := drawn(t, 8, accounts)
	if !slices.Equal(records, again) {
		t.Error("equal seeds give different accounts")
	}
	if slices.Equal(records, other) {
		t.Error("different seeds give equal accounts")
	}
	var modes [4]int
	positions, most, own := 0, 0, 0
	for i := range records {
		switch c := &records[i]; c.Kind {
		case risk.KindImportAccount:
			modes[c.Mode]++
			own = 0
		case risk.KindPartPosition:
			positions++
			own++
			most = max(most, own)
		default:
		}
	}
	for mode := risk.ModeStandard; mode <= risk.ModePortfolio; mode++ {
		if modes[mode] < accounts/4 {
			t.Errorf("mode %d has %d of %d accounts, want about a third", mode, modes[mode], accounts)
		}
	}
	if most > positionsMax || positions < accounts*7/2 || positions > accounts*9/2 {
		t.Errorf("%d positions in %d accounts, at most %d in one; want about four, at most %d", positions, accounts, most, positionsMax)
	}
}

func TestTicksFollowTheDigitRules(t *testing.T) {
	t.Parallel()
	d := newTestDaemon(t)
	u := universe.Embedded()
	if err := d.load(&u); err != nil {
		t.Fatal(err)
	}
	m, err := readMarket(d)
	if err != nil {
		t.Fatal(err)
	}
	f := fit(&u)
	szDecimals := map[uint32]uint8{}
	live := 0
	for i := range m.perps {
		szDecimals[m.perps[i].Slot] = m.perps[i].SzDecimals
		if !m.perps[i].IsHalted {
			live++
		}
	}
	tick := &ticker{d: d, walk: newWalker(3, m, &f, 60_000)}
	twin := newWalker(3, m, &f, 60_000)
	for range 50 {
		if err := tick.tick(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tick.records, twin.step(nil)) {
			t.Fatal("equal seeds give different ticks")
		}
	}
	marks := 0
	for i := range tick.records {
		c := &tick.records[i]
		for k := range int(c.Mode) {
			if c.PriceKindAt(k) != risk.PriceMark {
				continue
			}
			marks++
			if !fixedpoint.PriceFollowsTickRule(c.Num[k], c.Dec[k], szDecimals[c.Ref[k]], false) {
				t.Errorf("perp %d: %s breaks the digit rules", c.Ref[k], decimalText(c.Num[k], c.Dec[k]))
			}
		}
	}
	if marks != live {
		t.Errorf("a tick moves %d marks, want those of all %d live perps", marks, live)
	}
}

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	var h histogram
	for ns := int64(1); ns <= 100_000; ns++ {
		h.add(ns)
	}
	for _, c := range []struct {
		perMille uint64
		exact    int64
	}{{1, 100}, {500, 50_000}, {990, 99_000}, {1000, 100_000}} {
		if got := h.quantile(c.perMille); got < c.exact || got > c.exact+c.exact/32+1 {
			t.Errorf("quantile(%d) = %d, want %d to 1/32 more", c.perMille, got, c.exact)
		}
	}
	for ns := int64(1); ns > 0 && ns < 1<<62; ns = ns*3/2 + 1 {
		if b := bucketOf(ns); ceilingOf(b) < ns || b > 0 && ceilingOf(b-1) >= ns {
			t.Errorf("%d ns is in bucket %d that ends at %d", ns, b, ceilingOf(b))
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want string
	}{
		{countText(0), "0"},
		{countText(999), "999"},
		{countText(1_000_000), "1,000,000"},
		{dollarText(fixedpoint.I128(123_456_700_000_000)), "1,234,567"},
		{dollarText(fixedpoint.I128(-123_456_700_000_000)), "-1,234,567"},
		{spanText(1_234), "1.2µs"},
		{spanText(12_345_678), "12.3ms"},
		{rateText(3, 2*time.Second), "1.5"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
