package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// house is a server over the real engine, without a journal, on a loopback port: the pipes
// of fasthttputil are not safe for the deadlines that event streams set.
type house struct {
	t      testing.TB
	engine *engine.Engine
	server *Server
	client *http.Client
	listen net.Listener
}

func newHouse(t testing.TB, shards int) *house {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = shards, 1<<12, engine.ClockCommands
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, engine: e, listen: listen}
	h.server = NewServer(&Config{
		Engine: e, Directory: NewDirectory(cfg.AccountsMax), Shards: shards, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	go func() { _ = h.server.Serve(h.listen) }()
	h.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		_ = h.server.Shutdown(t.Context())
		e.Close()
	})
	return h
}

func (h *house) url() string { return "http://" + h.listen.Addr().String() }

// do sends one request and returns status and body.
func (h *house) do(method, path, contentType, body string) (int, string, http.Header) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.url()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(reply), resp.Header
}

// send sends a request; any goroutine may call it.
func (h *house) send(req *http.Request) (status int, reply string) {
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Error(err)
	}
	return resp.StatusCode, string(body)
}

// must sends commands as lines and wants all of them accepted.
func (h *house) must(lines ...string) {
	h.t.Helper()
	status, reply, _ := h.do("POST", "/v1/commands", "application/x-ndjson", strings.Join(lines, "\n"))
	if status != 200 || strings.Contains(reply, `"ok":false`) {
		h.t.Fatalf("%d %s", status, reply)
	}
}

func (h *house) get(path string) string {
	h.t.Helper()
	status, reply, _ := h.do("GET", path, "", "")
	if status != 200 || !json.Valid([]byte(reply)) {
		h.t.Fatalf("GET %s: %d %s", path, status, reply)
	}
	return reply
}

func (h *house) info(body string) string {
	h.t.Helper()
	status, reply, _ := h.do("POST", "/info", "application/json", body)
	if status != 200 || !json.Valid([]byte(reply)) {
		h.t.Fatalf("/info %s: %d %s", body, status, reply)
	}
	return reply
}

func token(name string, index int, wei int, ltv string, more string) string {
	return fmt.Sprintf(`{"type":"list_token","token":%q,"index":%d,"wei_decimals":%d,"ltv":%q,"borrowable":%v,`+
		`"supply_cap":"1000000000","borrow_cap":"500000000","user_supply_cap":"250000000","user_borrow_cap":"50000000",`+
		`"rate":{"base":"0.05","slope":"4.75","kink":"0.8","reserve_factor":"0.1"}%s}`, name, index, wei, ltv, ltv == "0", more)
}

const (
	alice = "0xbf732ea04197942783e34730ed6e0f6099575d58"
	bobby = "0x235987b53ed16a5f331c3648f78cbc148a877d27"
)

// furnish lists a small universe and opens three accounts with positions and orders.
func (h *house) furnish() {
	h.t.Helper()
	h.must(
		`{"type":"clock","time":1790091087693}`,
		token("USDC", 0, 8, "0", ""),
		token("HYPE", 150, 8, "0.65", `,"oracle_perp":"HYPE"`),
		`{"type":"list_dex","dex":"","index":0,"collateral_token":"USDC"}`,
		`{"type":"list_dex","dex":"xyz","index":1,"collateral_token":"USDC"}`,
		`{"type":"list_perp","perp":"BTC","index":0,"dex":"","sz_decimals":5,"collateral_token":"USDC","tiers":[{"lower_bound":"0","max_leverage":40},{"lower_bound":"150000000","max_leverage":20}],"margin_mode":"normal","funding_cap":"0.04"}`,
		`{"type":"list_perp","perp":"HYPE","index":159,"dex":"","sz_decimals":2,"collateral_token":"USDC","tiers":[{"lower_bound":"0","max_leverage":10}],"margin_mode":"normal","funding_cap":"0.04"}`,
		`{"type":"list_perp","perp":"xyz:TSLA","index":1,"dex":"xyz","sz_decimals":3,"collateral_token":"USDC","tiers":[{"lower_bound":"0","max_leverage":10}],"margin_mode":"strict_isolated","funding_cap":"0.04"}`,
		`{"type":"list_spot","spot":"HYPE/USDC","index":107,"base":"HYPE","quote":"USDC"}`,
		`{"type":"prices","marks":{"BTC":"60000","HYPE":"40.5","xyz:TSLA":"400"},"oracles":{"BTC":"60010","HYPE":"40.4","xyz:TSLA":"401"},"spots":{"HYPE/USDC":"40.45"}}`,
		`{"type":"open_account","account":"`+alice+`","mode":"portfolio"}`,
		`{"type":"open_account","account":"`+bobby+`","mode":"unified"}`,
		`{"type":"open_account","account":"sub-1","mode":"standard","master":"`+alice+`"}`,
		`{"type":"deposit","account":"`+alice+`","token":"USDC","amount":"100000"}`,
		`{"type":"deposit","account":"`+alice+`","token":"HYPE","amount":"1000"}`,
		`{"type":"deposit","account":"`+bobby+`","token":"USDC","amount":"50000"}`,
		`{"type":"deposit","account":"sub-1","token":"USDC","amount":"5000"}`,
		`{"type":"set_leverage","account":"`+bobby+`","perp":"xyz:TSLA","leverage":5,"margin":"isolated"}`,
		`{"type":"fill","account":"`+alice+`","market":"BTC","side":"buy","size":"1.5","price":"59990"}`,
		`{"type":"fill","account":"`+bobby+`","market":"BTC","side":"sell","size":"0.5","price":"60010","fee":"3.5"}`,
		`{"type":"fill","account":"`+bobby+`","market":"xyz:TSLA","side":"buy","size":"10","price":"399"}`,
		`{"type":"order","account":"`+bobby+`","market":"BTC","side":"buy","size":"0.1","price":"58000","order_id":"551012943170"}`,
		`{"type":"order","account":"`+bobby+`","market":"BTC","side":"sell","size":"0.1","price":"61000","order_id":"0x00000000000000000000000000000abc","reduce_only":false,"trigger":{"price":"61500","is_market":true,"tpsl":"tp"}}`,
		`{"type":"order","account":"`+bobby+`","market":"@107","side":"buy","size":"1","price":"39","order_id":"7"}`,
		`{"type":"funding","rates":{"BTC":"0.0000125"}}`,
	)
}

func TestHouseAnswersEveryRoute(t *testing.T) {
	for _, shards := range []int{1, 3} {
		h := newHouse(t, shards)
		h.furnish()
		for _, path := range []string{
			"/v1/accounts/" + alice, "/v1/accounts/" + strings.ToUpper(bobby), "/v1/accounts/sub-1",
			"/v1/accounts/" + alice + "/margin", "/v1/accounts/" + bobby + "/liquidation_prices",
			"/v1/accounts?order=risk&limit=2", "/v1/accounts", "/v1/tokens", "/v1/perps", "/v1/spots", "/v1/pools",
			"/v1/pools/USDC", "/v1/totals", "/v1/status",
		} {
			reply := h.get(path)
			if !strings.HasPrefix(reply, `{"seq":25,`) {
				t.Errorf("GET %s is not of seq 25: %s", path, reply)
			}
			if testing.Verbose() && shards == 1 {
				t.Logf("%s\n%s", path, reply)
			}
		}
		for _, path := range []string{"/", "/healthz", "/readyz"} {
			if status, reply, header := h.do("GET", path, "", ""); status != 200 || header.Get("X-Plimsoll-Seq") != "25" {
				t.Errorf("GET %s: %d %s seq %s", path, status, reply, header.Get("X-Plimsoll-Seq"))
			}
		}
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	hashBefore, seqBefore, err := h.engine.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	accounts := h.server.dir.AccountCount()
	for _, c := range badInputs {
		status, reply, _ := h.do("POST", "/v1/commands", "application/json", c.body)
		var got struct {
			Error struct{ Code, Message, Field, Limit string }
		}
		if err := json.Unmarshal([]byte(reply), &got); err != nil {
			t.Errorf("%s: reply %s is no JSON: %v", c.name, reply, err)
		}
		if status != 400 || got.Error.Code != c.code || got.Error.Message == "" {
			t.Errorf("%s: %d %s, want 400 %s", c.name, status, reply, c.code)
		}
	}
	hashAfter, seqAfter, err := h.engine.StateHash()
	if err != nil || hashAfter != hashBefore || seqAfter != seqBefore || h.server.dir.AccountCount() != accounts {
		t.Errorf("seq %d -> %d, hash %x -> %x, accounts %d -> %d: want no change (%v)",
			seqBefore, seqAfter, hashBefore, hashAfter, accounts, h.server.dir.AccountCount(), err)
	}
}

func TestRefusalsSayFieldValueAndLimit(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	hash, _, _ := h.engine.StateHash()
	for _, c := range []struct{ body, code, field, inMessage string }{
		{order("size", `"0"`), "unknown_account", "account", "bob"},
		{strings.ReplaceAll(order("size", `"0"`), "bob", bobby), "invalid_size", "size", "0"},
		{strings.ReplaceAll(order("size", `"0.000001"`), "bob", bobby), "invalid_size", "size", "0.000001"},
		{strings.ReplaceAll(order("price", `"0"`), "bob", bobby), "invalid_price", "price", "0"},
		{strings.ReplaceAll(order("market", `"DOGE"`), "bob", bobby), "unknown_market", "market", "DOGE"},
		{strings.ReplaceAll(order("order_id", `"7"`), "bob", bobby), "duplicate_order_id", "order_id", "7"},
		{strings.ReplaceAll(order("size", `"1000"`), "bob", bobby), "insufficient_margin", "", "is needed"},
		{`{"type":"cancel","account":"` + bobby + `","order_id":"999"}`, "unknown_order", "order_id", "999"},
		{`{"type":"deposit","account":"` + bobby + `","token":"DOGE","amount":"1"}`, "unknown_token", "token", "DOGE"},
		{`{"type":"deposit","account":"` + bobby + `","token":"USDC","amount":"0.123456789"}`, "invalid_amount", "amount", "0.123456789"},
		{`{"type":"withdraw","account":"` + bobby + `","token":"USDC","amount":"900000"}`, "insufficient_balance", "", "900000.0"},
		{`{"type":"open_account","account":"` + bobby + `","mode":"unified"}`, "account_exists", "account", bobby},
		{`{"type":"prices","marks":{"BTC":"60000","DOGE":"1"}}`, "unknown_market", "marks.DOGE", "listed"},
		{`{"type":"prices","marks":{"BTC":"60000.123456"}}`, "invalid_price", "marks.BTC", "decimals"},
		{`{"type":"set_leverage","account":"` + bobby + `","perp":"BTC","leverage":50,"margin":"cross"}`, "leverage_too_high", "leverage", "50"},
	} {
		status, reply, _ := h.do("POST", "/v1/commands", "application/json", c.body)
		var got struct {
			Seq   uint64
			OK    bool
			Error struct{ Code, Message, Field string }
		}
		if err := json.Unmarshal([]byte(reply), &got); err != nil {
			t.Fatalf("%s: %v", reply, err)
		}
		if status != 422 || got.OK || got.Seq == 0 || got.Error.Code != c.code || got.Error.Field != c.field ||
			!strings.Contains(got.Error.Message, c.inMessage) {
			t.Errorf("%s: %d %s, want 422 %s at %q", c.body, status, reply, c.code, c.field)
		}
	}
	if after, _, _ := h.engine.StateHash(); after != hash {
		t.Error("refusals change the state hash")
	}
}

func TestHTTPFaults(t *testing.T) {
	h := newHouse(t, 1)
	for _, c := range []struct {
		method, path, kind string
		status             int
		code               string
	}{
		{"GET", "/v1/commands", "", 405, codeMethodNotAllowed},
		{"DELETE", "/v1/accounts/bob", "", 405, codeMethodNotAllowed},
		{"POST", "/v1/tokens", "application/json", 405, codeMethodNotAllowed},
		{"POST", "/v1/commands", "text/plain", 415, codeUnsupportedMedia},
		{"POST", "/v1/commands", "application/x-www-form-urlencoded", 415, codeUnsupportedMedia},
		{"GET", "/v2", "", 404, codeNotFound},
		{"GET", "/v1/accounts/", "", 404, codeNotFound},
		{"GET", "/v1/accounts/bob", "", 404, codeUnknownAccount},
		{"GET", "/v1/accounts/bob/secrets", "", 404, codeNotFound},
		{"GET", "/v1/pools/DOGE", "", 404, codeUnknownToken},
		{"GET", "/v1/accounts?limit=0", "", 400, codeInvalidNumber},
		{"GET", "/v1/accounts?limit=1001", "", 400, codeInvalidNumber},
		{"GET", "/v1/accounts?order=name", "", 400, codeInvalidValue},
		{"GET", "/v1/events?after=x", "", 400, codeInvalidNumber},
		{"POST", "/info", "application/json", 422, codeMalformed},
	} {
		status, reply, header := h.do(c.method, c.path, c.kind, "")
		if status != c.status || !strings.Contains(reply, `"code":"`+c.code+`"`) || header.Get("X-Plimsoll-Seq") == "" {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, reply, c.status, c.code)
		}
		if (status == 405) != (header.Get("Allow") != "") {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, header.Get("Allow"))
		}
	}
}

func TestHugeBodyIsRefusedByItsLength(t *testing.T) {
	h := newHouse(t, 1)
	conn, err := net.Dial("tcp", h.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n[")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "body_bytes_max=8388608") {
		t.Errorf("%d %s, want 413 that names %s", resp.StatusCode, body, "body_bytes_max=8388608")
	}
}

func TestBinaryFormGivesTheSameAnswers(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	d := NewDecoder(h.server.dir)
	var wire []byte
	for _, body := range []string{
		`{"type":"deposit","account":"sub-1","token":"USDC","amount":"1"}`,
		`{"type":"open_account","account":"carol","mode":"unified"}`,
		`{"type":"prices","marks":{"BTC":"60001","HYPE":"40.6","xyz:TSLA":"402"},"oracles":{"BTC":"60011","HYPE":"40.5"}}`,
	} {
		if err := d.Decode([]byte(body), FormJSON, 0); err != nil {
			t.Fatal(err)
		}
		for i := range d.records {
			wire = risk.AppendCommand(wire, &d.records[i])
		}
	}
	status, reply, _ := h.do("POST", "/v1/commands", "application/vnd.plimsoll.commands", string(wire))
	if status != 200 || strings.Count(reply, `"ok":true`) != 3 {
		t.Errorf("%d %s", status, reply)
	}
	status, reply, _ = h.do("POST", "/v1/commands", "application/vnd.plimsoll.commands", string(wire[:200]))
	if status != 400 || !strings.Contains(reply, codeInvalidRecord) {
		t.Errorf("truncated records: %d %s", status, reply)
	}
}

func TestRepeatedIDComesBackAsDuplicate(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	body := `{"type":"deposit","id":"77","account":"sub-1","token":"USDC","amount":"1"}`
	_, first, _ := h.do("POST", "/v1/commands", "application/json", body)
	_, second, _ := h.do("POST", "/v1/commands", "application/json", body)
	if !strings.Contains(second, `"duplicate":true`) || strings.ReplaceAll(second, `,"duplicate":true`, "") != first {
		t.Errorf("first %s, second %s", first, second)
	}
}

func TestEventsFollowAndResume(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	read := func(path, accept, last string, lines int) []string {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url()+path, nil)
		req.Header.Set("Accept", accept)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		resp, err := h.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got []string
		scanner := bufio.NewScanner(resp.Body)
		for len(got) < lines && scanner.Scan() {
			got = append(got, scanner.Text())
		}
		return got
	}
	all := read("/v1/events?after=0", "application/x-ndjson", "", 4)
	if len(all) != 4 {
		t.Fatalf("%d lines: %q", len(all), all)
	}
	var first struct {
		Seq  uint64
		N    uint32
		Type string
	}
	for _, line := range all {
		if err := json.Unmarshal([]byte(line), &first); err != nil || first.Type == "" {
			t.Errorf("line %s: %v", line, err)
		}
	}
	if err := json.Unmarshal([]byte(all[0]), &first); err != nil {
		t.Fatal(err)
	}
	sse := read("/v1/events", "text/event-stream", fmt.Sprintf("%d.%d", first.Seq, first.N), 3)
	if len(sse) != 3 || !strings.HasPrefix(sse[0], "id: ") || !strings.HasPrefix(sse[1], "event: ") || sse[2] != "data: "+all[1] {
		t.Errorf("after the first event: %q, want data: %s", sse, all[1])
	}
}
