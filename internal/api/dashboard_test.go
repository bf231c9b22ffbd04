package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// looker reads a dashboard's stream.
type looker struct {
	t     testing.TB
	resp  *http.Response
	lines *bufio.Reader
	end   context.CancelFunc
}

// look opens a stream; more are names and values of headers.
func (h *house) look(more ...string) *looker {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url()+"/v1/dashboard/stream", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	l := &looker{t: h.t, resp: resp, lines: bufio.NewReader(resp.Body), end: cancel}
	h.t.Cleanup(l.close)
	return l
}

func (l *looker) close() {
	l.end()
	_ = l.resp.Body.Close()
}

// next returns the next message of a kind.
func (l *looker) next(kind string) map[string]any {
	l.t.Helper()
	for {
		name, err := l.lines.ReadString('\n')
		if err != nil {
			l.t.Fatalf("the stream ended before a message %s: %v", kind, err)
		}
		data, _ := l.lines.ReadString('\n')
		_, _ = l.lines.ReadString('\n')
		if name != "event: "+kind+"\n" {
			continue
		}
		var message map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &message); err != nil {
			l.t.Fatalf("%s is no JSON: %v\n%s", kind, err, data)
		}
		return message
	}
}

// dashboardHouse is a house whose dashboard is quick.
func dashboardHouse(t testing.TB, shards int) *house {
	t.Helper()
	h := newHouse(t, shards)
	h.server.dashboard.every = 40 * time.Millisecond
	return h
}

// settle opens accounts of every health around a price of BTC of 60000.
func (h *house) settle(accounts int) {
	h.t.Helper()
	h.furnish()
	var lines []string
	for i := range accounts {
		lines = append(lines, fmt.Sprintf(`{"type":"open_account","account":"desk-%d","mode":%q}`, i, []string{"standard", "unified", "portfolio"}[i%3]),
			fmt.Sprintf(`{"type":"deposit","account":"desk-%d","token":"USDC","amount":"%d"}`, i, 60+i*i*4),
			fmt.Sprintf(`{"type":"fill","account":"desk-%d","market":"BTC","side":%q,"size":"0.1","price":"60000"}`, i, []string{"buy", "buy", "sell"}[i/3%3]))
	}
	h.must(lines...)
}

func TestTheDashboardIsToldWhatStands(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 2} {
		h := dashboardHouse(t, shards)
		h.settle(40)
		l := h.look()
		hello := l.next("hello")
		if hello["version"] != "test" || hello["shards"] != float64(shards) {
			t.Errorf("hello is %v", hello)
		}
		frame := l.next("frame")
		if len(frame["applied"].([]any)) != shards || len(frame["stages"].([]any)) != 11 || frame["sequenced"].(float64) < 100 {
			t.Errorf("a frame is %v", frame)
		}
		totals := l.next("totals")
		view, _, err := h.engine.Totals(dashboardNearest)
		if err != nil {
			t.Fatal(err)
		}
		if totals["accounts"] != float64(view.Accounts) || len(totals["nearest"].([]any)) != len(view.Nearest) {
			t.Errorf("totals are %v, want %d accounts, %d of the nearest", totals, view.Accounts, len(view.Nearest))
		}
		for health := range risk.HealthCount {
			var sum float64
			for _, cell := range totals["heat"].(map[string]any)[health.String()].([]any) {
				sum += cell.([]any)[1].(float64)
			}
			if sum != float64(view.Health[health]) {
				t.Errorf("the row %v has %v accounts, want %d", health, sum, view.Health[health])
			}
		}
		h.must(`{"type":"halt","market":"BTC"}`)
		for isTold := false; !isTold; {
			for _, e := range l.next("events")["events"].([]any) {
				isTold = isTold || e.(map[string]any)["type"] == "halted"
			}
		}
		l2 := h.look() // who comes later is told what stands at once
		for _, kind := range []string{"hello", "totals", "pools", "markets", "events"} {
			l2.next(kind)
		}
	}
}

func TestNothingIsReadWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	h := dashboardHouse(t, 1)
	h.settle(3)
	reads := func() uint64 { return h.engine.Count(engine.CounterReads) }
	before := reads()
	time.Sleep(100 * time.Millisecond)
	if got := reads(); got != before {
		t.Errorf("%d reads with nobody looking", got-before)
	}
	looks := []*looker{h.look(), h.look(), h.look()}
	for _, l := range looks {
		l.next("totals")
		l.close()
	}
	deadline := time.Now().Add(5 * time.Second)
	isSampling := func() bool {
		d := &h.server.dashboard
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.isSampling || len(d.viewers) > 0
	}
	for isSampling() {
		if time.Now().After(deadline) {
			t.Fatal("the sampler runs on after the last viewer has gone")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if len(h.look().next("pools")["pools"].([]any)) == 0 {
		t.Error("who comes after that is told no pools")
	}
}

func TestAViewerWhoDoesNotReadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	h := dashboardHouse(t, 1)
	h.server.dashboard.every = time.Millisecond
	h.settle(30)
	conn, err := net.Dial("tcp", h.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/dashboard/stream HTTP/1.1\r\nHost: x\r\n\r\n")
	l := h.look()
	from := time.Now()
	for range 200 {
		l.next("frame")
	}
	if took := time.Since(from); took > 5*time.Second {
		t.Errorf("200 frames took %v beside a viewer who reads nothing", took)
	}
}

func TestTheStreamEndsWithTheServerAndWithTheToken(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk read", "mover feed") })
	g.server.dashboard.every = 5 * time.Millisecond
	if resp := g.look("Authorization", "Bearer "+secretOf("mover")).resp; resp.StatusCode != http.StatusForbidden {
		t.Errorf("scope feed: %d, want 403", resp.StatusCode)
	}
	l := g.look("Authorization", "Bearer "+secretOf("desk"))
	l.next("frame")
	g.server.SetTokens(tokensOf(t, "other read"))
	if end := l.next("end"); end["code"] != codeUnauthorized {
		t.Errorf("a token that is gone: %v", end)
	}
	l = g.look("Authorization", "Bearer "+secretOf("other"))
	l.next("frame")
	go func() { _ = g.server.Shutdown(context.WithoutCancel(t.Context())) }()
	if end := l.next("end"); end["code"] != codeShuttingDown {
		t.Errorf("a server that stops: %v", end)
	}
}

func TestAShockOverHTTPChangesNothing(t *testing.T) {
	t.Parallel()
	h := dashboardHouse(t, 2)
	h.settle(40)
	hash, seq, err := h.engine.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Seq           uint64
		Market        *string
		Move          string
		Before, After struct{ Health map[string]uint64 }
		Crossing      struct{ Accounts uint64 }
		Largest       []struct{ Account, From, To string }
	}
	for _, c := range []struct {
		query     string
		isCrossed bool
	}{
		{"move=0", false}, {"move=-0.3", true}, {"move=0.3", true}, {"market=BTC&move=-0.3", true}, {"market=xyz:TSLA&move=-0.001", false},
	} {
		if err := json.Unmarshal([]byte(h.get("/v1/whatif?"+c.query)), &w); err != nil {
			t.Fatal(err)
		}
		past := func(health map[string]uint64) uint64 { return health["liquidatable"] + health["backstop"] }
		if isCrossed := w.Crossing.Accounts > 0; isCrossed != c.isCrossed || isCrossed != (len(w.Largest) > 0) || w.Seq != seq ||
			isCrossed != (past(w.After.Health) != past(w.Before.Health)) {
			t.Errorf("%s: %+v, want somebody to cross: %v", c.query, w, c.isCrossed)
		}
	}
	if after, seqAfter, _ := h.engine.StateHash(); after != hash || seqAfter != seq {
		t.Error("a shock changed the state")
	}
	for query, want := range map[string]string{
		"": codeInvalidNumber, "move=": codeInvalidNumber, "move=-1": codeInvalidNumber, "move=10.1": codeInvalidNumber,
		"move=0.123456789": codeInvalidNumber, "move=ten": codeInvalidNumber, "move=0.1&market=NIX": codeUnknownMarket,
		"move=0.1&market=HYPE/USDC": codeUnknownMarket,
	} {
		status, reply, _ := h.do("GET", "/v1/whatif?"+query, "", "")
		if e := errorIn(t, reply); e.Code != want || status != 400 && status != 404 {
			t.Errorf("%q: %d %+v, want %s", query, status, e, want)
		}
	}
}

// TestThePageAsksNobodyElse reads the page's files: what they load is in them, and nothing in
// them is a script or a style within the page, which the policy would not run.
func TestThePageAsksNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 1)
	req, _ := http.NewRequest(http.MethodGet, h.url()+"/", nil)
	req.Header.Set("Accept", "text/html")
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self'; style-src 'self'") ||
		strings.Contains(policy, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the page comes with %v", resp.Header)
	}
	link := regexp.MustCompile(`(?:src|href|from|import)[ =(]+"([^"]+)"`)
	outside := regexp.MustCompile(`https?://[^\s"')]+`)
	inline := regexp.MustCompile(`\sstyle="|\son[a-z]+="|<script>|<style|innerHTML|eval\(`)
	for name, file := range dashboardAssets() {
		for _, found := range outside.FindAllString(string(file.body), -1) {
			if found != "http://www.w3.org/2000/svg" { // a name, not an address
				t.Errorf("%s has the address %s", name, found)
			}
		}
		if found := inline.FindString(string(file.body)); found != "" {
			t.Errorf("%s has %s, which the policy forbids", name, found)
		}
		for _, m := range link.FindAllStringSubmatch(string(file.body), -1) {
			target := path.Base(m[1])
			if strings.HasPrefix(m[1], "/dashboard/") || strings.HasPrefix(m[1], "./") {
				if dashboardAssets()[target] == nil {
					t.Errorf("%s loads %s, which there is not", name, m[1])
				}
			} else if !slices.Contains([]string{"#figures", "/openapi.json", "/metrics", "/v1/status"}, m[1]) {
				t.Errorf("%s refers to %s", name, m[1])
			}
		}
	}
	for _, name := range []string{"app.js", "style.css", "icon.svg"} {
		status, body, header := h.do("GET", "/dashboard/"+name, "", "")
		if status != 200 || body != string(dashboardAssets()[name].body) || header.Get("Content-Type") != dashboardKinds[path.Ext(name)] {
			t.Errorf("%s: %d %v", name, status, header)
		}
		req, _ := http.NewRequest(http.MethodGet, h.url()+"/dashboard/"+name, nil)
		req.Header.Set("If-None-Match", header.Get("ETag"))
		if status, body := h.send(req); status != http.StatusNotModified || body != "" {
			t.Errorf("%s by its tag: %d %q", name, status, body)
		}
	}
	if _, body, _ := h.do("GET", "/", "", ""); !strings.HasPrefix(body, "Plimsoll: ") {
		t.Errorf("who accepts anything gets %.60s, want the list of routes", body)
	}
	for _, name := range []string{"index.html", "nothing.js", "../doc.go"} {
		if status, _, _ := h.do("GET", "/dashboard/"+name, "", ""); status != 404 {
			t.Errorf("%s: %d, want 404", name, status)
		}
	}
}

// BenchmarkDashboardFrame is what one frame costs the daemon, all viewers together.
func BenchmarkDashboardFrame(b *testing.B) {
	h := newHouse(b, 2)
	h.settle(40)
	m := newSampler(h.server)
	status := h.engine.Status()
	for b.Loop() {
		status = h.engine.Status()
		m.buffer = m.appendFrame(m.buffer[:0], m.began, &status)
		m.readEvents(&status)
	}
	b.ReportMetric(float64(len(m.buffer)), "bytes")
}
