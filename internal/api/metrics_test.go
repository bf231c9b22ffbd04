package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/internal/metrics"
)

func (h *house) scrape() map[string]*family {
	h.t.Helper()
	status, text, header := h.do("GET", "/metrics", "", "")
	if status != 200 || header.Get("Content-Type") != metrics.ContentType {
		h.t.Fatalf("GET /metrics: %d %s", status, header.Get("Content-Type"))
	}
	for _, fault := range lintMetrics(text) {
		h.t.Error(fault)
	}
	families, _ := parseMetrics(text)
	byName := map[string]*family{}
	for _, f := range families {
		byName[f.name] = f
	}
	return byName
}

// valueOf returns the sample with these labels, name=value.
func valueOf(t *testing.T, families map[string]*family, name string, labels ...string) float64 {
	t.Helper()
	base := name
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if f := families[strings.TrimSuffix(name, suffix)]; f != nil && f.kind == "histogram" {
			base = f.name
		}
	}
	f := families[base]
	if f == nil {
		t.Fatalf("there is no family %s", base)
	}
samples:
	for i := range f.samples {
		s := &f.samples[i]
		if s.name != name {
			continue
		}
		for _, want := range labels {
			if key, value, _ := strings.Cut(want, "="); s.label(key) != value {
				continue samples
			}
		}
		return s.value
	}
	t.Fatalf("%s has no sample %v", name, labels)
	return 0
}

// untilTotals scrapes until a pass over all accounts is finished.
func (h *house) untilTotals() map[string]*family {
	h.t.Helper()
	for range 500 {
		if families := h.scrape(); families["plimsoll_accounts"] != nil {
			return families
		}
		time.Sleep(2 * time.Millisecond)
	}
	h.t.Fatal("no pass over all accounts is finished")
	return nil
}

func TestMetricsSayWhatHappened(t *testing.T) {
	for _, shards := range []int{1, 3} {
		h, stop := newDurableHouse(t, t.TempDir(), shards)
		h.furnish()
		if status, reply, _ := h.do("POST", "/v1/snapshot", "", ""); status != 200 {
			t.Fatal(status, reply)
		}
		h.do("POST", "/v1/commands", "", `{"type":"deposit"}`)
		h.get("/v1/accounts/" + alice + "/margin")
		h.do("GET", "/v1/accounts/nobody/margin", "", "")
		h.do("GET", "/nowhere", "", "")
		families := h.untilTotals()
		for _, x := range []struct {
			name   string
			labels []string
			want   float64
		}{
			{"plimsoll_answered_total", nil, 25},
			{"plimsoll_refused_total", nil, 0},
			{"plimsoll_sequence_sequenced", nil, 25},
			{"plimsoll_sequence_durable", nil, 25},
			{"plimsoll_sequence_applied", []string{"shard=0"}, 25},
			{"plimsoll_sequence_applied", []string{fmt.Sprintf("shard=%d", shards-1)}, 25},
			{"plimsoll_shard_lag_commands", []string{"shard=0"}, 0},
			{"plimsoll_ring_depth_records", []string{"ring=ingress"}, 0},
			{"plimsoll_http_requests_total", []string{"route=/v1/commands", "code=200"}, 1},
			{"plimsoll_http_requests_total", []string{"route=/v1/commands", "code=400"}, 1},
			{"plimsoll_http_requests_total", []string{"route=/v1/accounts/{account}/margin", "code=200"}, 1},
			{"plimsoll_http_requests_total", []string{"route=/v1/accounts/{account}/margin", "code=404"}, 1},
			{"plimsoll_http_requests_total", []string{"route=other", "code=404"}, 1},
			{"plimsoll_http_request_duration_seconds_count", []string{"route=/v1/commands"}, 2},
			{"plimsoll_http_request_duration_seconds_count", []string{"route=/v1/accounts/{account}/margin"}, 2},
			{"plimsoll_snapshot_sequence", nil, 25},
			{"plimsoll_journal_oldest_frame_seconds", nil, 0},
			{"plimsoll_journal_read_only", nil, 0},
			{"plimsoll_band_audit_misses", nil, 0},
			{"plimsoll_ready", nil, 1},
			{"plimsoll_build_info", []string{"version=test"}, 1},
			{"plimsoll_totals_sequence", nil, 25},
			{"plimsoll_positions", nil, 3},
			{"plimsoll_ledger_difference", []string{"token=USDC"}, 0},
			{"plimsoll_pool_utilization_ratio", []string{"token=USDC"}, 0},
			{"plimsoll_event_streams", nil, 0},
		} {
			if got := valueOf(t, families, x.name, x.labels...); got != x.want {
				t.Errorf("%d shards: %s%v is %v, want %v", shards, x.name, x.labels, got, x.want)
			}
		}
		accounts := 0.0
		for _, s := range families["plimsoll_accounts"].samples {
			accounts += s.value
		}
		if accounts != 3 {
			t.Errorf("%v accounts in all bands, want 3", accounts)
		}
		if got := valueOf(t, families, "plimsoll_journal_frame_duration_seconds_count"); got != valueOf(t, families, "plimsoll_frames_total") {
			t.Errorf("%v frames measured, %v appended", got, valueOf(t, families, "plimsoll_frames_total"))
		}
		stop()
	}
}

// TestEveryCounterIsShown: a counter of the engine that is added is in /metrics by itself.
func TestEveryCounterIsShown(t *testing.T) {
	h := newHouse(t, 1)
	families := h.scrape()
	for _, c := range engine.Counters() {
		if f := families["plimsoll_"+c.Info().Name]; f == nil || f.help != c.Info().About || f.kind != "counter" {
			t.Errorf("counter %s is shown as %+v", c.Info().Name, f)
		}
	}
	for _, name := range []string{"decode", "ring_wait", "journal", "apply", "gate", "wake", "encode"} {
		valueOf(t, families, "plimsoll_stage_duration_seconds_count", "stage="+name)
	}
}

// TestStagesAddUp traces every command, and wants no stage left out.
func TestStagesAddUp(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	h.engine.TraceAll()
	h.must(`{"type":"deposit","account":"` + alice + `","token":"USDC","amount":"1"}`) // pays what its ticket owes
	before := h.scrape()
	const orders = 50
	for i := range orders {
		if status, reply, _ := h.do("POST", "/v1/commands", "application/json",
			fmt.Sprintf(`{"type":"order","account":%q,"market":"BTC","side":"buy","size":"0.001","price":"58000","order_id":"%d"}`, bobby, i+100)); status != 200 {
			t.Fatal(status, reply)
		}
	}
	after := h.scrape()
	sum := 0.0
	for _, stage := range []string{"decode", "ring_wait", "apply", "gate", "wake", "encode"} {
		count := valueOf(t, after, "plimsoll_stage_duration_seconds_count", "stage="+stage) -
			valueOf(t, before, "plimsoll_stage_duration_seconds_count", "stage="+stage)
		if count != orders {
			t.Errorf("stage %s counts %v of %d orders", stage, count, orders)
		}
		sum += valueOf(t, after, "plimsoll_stage_duration_seconds_sum", "stage="+stage) -
			valueOf(t, before, "plimsoll_stage_duration_seconds_sum", "stage="+stage)
	}
	whole := valueOf(t, after, "plimsoll_http_request_duration_seconds_sum", "route=/v1/commands") -
		valueOf(t, before, "plimsoll_http_request_duration_seconds_sum", "route=/v1/commands")
	if sum <= 0 || sum > 1.05*whole {
		t.Errorf("the stages took %v s, the requests %v s", sum, whole)
	}
}

// TestScrapesBeginFewPasses: however often somebody scrapes, there is one pass per totalsEvery.
func TestScrapesBeginFewPasses(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	h.untilTotals()
	began := h.server.passes.began
	for range 20 {
		h.scrape()
	}
	if h.server.passes.began != began {
		t.Error("a pass was begun before its time")
	}
	h.get("/v1/totals")
	h.must(`{"type":"deposit","account":"` + alice + `","token":"USDC","amount":"1"}`)
	h.get("/v1/totals")
	if got := valueOf(t, h.scrape(), "plimsoll_totals_sequence"); got != 26 {
		t.Errorf("the metrics are of seq %v, want that of the pass somebody else asked for", got)
	}
}

// TestMetricsBeforeThereIsAnEngine: a daemon that recovers can be watched.
func TestMetricsBeforeThereIsAnEngine(t *testing.T) {
	s := NewServer(&Config{Directory: NewDirectory(16), Shards: 1, ClientsMax: 4, Version: "test"})
	ctx := requestOf("GET", "/metrics")
	s.Handle(ctx)
	text := string(ctx.Response.Body())
	if faults := lintMetrics(text); ctx.Response.StatusCode() != 200 || len(faults) > 0 || !strings.Contains(text, "plimsoll_ready 0\n") {
		t.Errorf("%d %v\n%s", ctx.Response.StatusCode(), faults, text)
	}
}

// TestScrapesWhileCommandsRun is for the race detector.
func TestScrapesWhileCommandsRun(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 30 {
				request, _ := http.NewRequest(http.MethodPost, h.url()+"/v1/commands",
					strings.NewReader(`{"type":"deposit","account":"`+alice+`","token":"USDC","amount":"1"}`))
				h.send(request)
			}
		})
	}
	for range 10 {
		h.scrape()
	}
	group.Wait()
	if got := valueOf(t, h.scrape(), "plimsoll_http_requests_total", "route=/v1/commands", "code=200"); got != 91 {
		t.Errorf("%v requests are counted, want 91", got)
	}
}

// TestSlowCommandsAreLogged with what each stage took, and not more often than slowEvery.
func TestSlowCommandsAreLogged(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	var log bytes.Buffer
	var mu sync.Mutex
	h.server.slow.log = slog.New(slog.NewJSONHandler(lockedWriter{&mu, &log}, nil))
	h.server.slowNs = 1 // everything is slow
	h.engine.TraceAll()
	for range 5 {
		h.must(`{"type":"deposit","account":"` + alice + `","token":"USDC","amount":"1"}`)
	}
	mu.Lock()
	defer mu.Unlock()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines for 5 slow requests in a second: %s", len(lines), log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	took := line["took_us"].(float64)
	for _, key := range []string{"decode_us", "ring_wait_us", "journal_us", "apply_us", "gate_us", "wake_us", "encode_us"} {
		if us, ok := line[key].(float64); !ok || us < 0 || us > took {
			t.Errorf("%s is %v of %v", key, line[key], took)
		}
	}
	if line["seq"] != "26" || line["status"] != 200.0 {
		t.Errorf("the line says %v", line)
	}
	if got := valueOf(t, h.scrape(), "plimsoll_slow_requests_total"); got != 5 {
		t.Errorf("%v slow requests, want 5", got)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestProfilesAreForAdmins: heap and friends for go tool pprof, one of a time at a time, and
// without tokens for this machine alone.
func TestProfilesAreForAdmins(t *testing.T) {
	h := newHouse(t, 1)
	for path, want := range map[string]int{
		"/debug/pprof/heap": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/profile?seconds=1": 200,
		"/debug/pprof/nothing": 404, "/debug/pprof/profile?seconds=0": 400, "/debug/pprof/trace?seconds=121": 400,
		"/debug/pprof/": 404, "/debug": 404,
	} {
		status, reply, _ := h.do("GET", path, "", "")
		if status != want {
			t.Errorf("GET %s: %d %.100s, want %d", path, status, reply, want)
		}
		if want == 200 && !strings.Contains(path, "debug=1") && !strings.HasPrefix(reply, "\x1f\x8b") {
			t.Errorf("GET %s is not packed: %.20q", path, reply)
		}
	}
	ctx := requestOf("GET", "/debug/pprof/heap") // its address is 0.0.0.0
	h.server.Handle(ctx)
	if ctx.Response.StatusCode() != 403 {
		t.Errorf("a stranger gets %d", ctx.Response.StatusCode())
	}
}

// requestOf is a request that came over no socket.
func requestOf(method, path string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(path)
	return ctx
}
