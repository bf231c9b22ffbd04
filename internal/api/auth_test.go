package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/risk"
)

// namedAs makes a path of a row of the table of routes.
func namedAs(path string) string {
	return strings.NewReplacer("{account}", "alice", "{token}", "USDC", "{profile}", "heap", "{file}", "app.js").Replace(path)
}

// wantOfRoute is the contract, written down a second time: section Access of the HTTP
// contract, and for what it does not name the scope that stands nearest.
var wantOfRoute = map[string]string{
	"/v1/commands":                              "feed,trade,admin",
	"/v1/accounts":                              "read",
	"/v1/accounts/{account}":                    "read",
	"/v1/accounts/{account}/margin":             "read",
	"/v1/accounts/{account}/explain":            "read",
	"/v1/accounts/{account}/liquidation_prices": "read",
	"/v1/accounts/{account}/simulate":           "read",
	"/v1/tokens":                                "read",
	"/v1/perps":                                 "read",
	"/v1/spots":                                 "read",
	"/v1/pools":                                 "read",
	"/v1/pools/{token}":                         "read",
	"/v1/totals":                                "read",
	"/v1/events":                                "read",
	"/v1/status":                                "read",
	"/v1/snapshot":                              "admin",
	"/info":                                     "read",
	"/metrics":                                  "read",
	"/openapi.json":                             "read,feed,trade,admin",
	"/healthz":                                  "",
	"/readyz":                                   "read,feed,trade,admin",
	"/debug/pprof/{profile}":                    "admin",
	"/v1/pools/{token}/history":                 "read",
	"/v1/whatif":                                "read",
	"/v1/dashboard/stream":                      "read",
	"/dashboard/{file}":                         "",
	"/":                                         "",
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	g := newGuarded(t, func(c *Config) {
		var names []string
		for _, set := range allSets()[1:] {
			names = append(names, strings.ReplaceAll(set.String(), ",", ".")+" "+set.String())
		}
		c.Tokens = tokensOf(t, names...)
	})
	for i := range routeTable {
		r := &routeTable[i]
		want, isKnown := wantOfRoute[r.path]
		if !isKnown {
			t.Errorf("%s %s: nobody has said which scope it needs: add it to routeRules and here", r.method, r.path)
			continue
		}
		if want == "" {
			if status, reply, _ := g.ask("", r.method, namedAs(r.path), ""); status != http.StatusOK {
				t.Errorf("%s without a token: %d %s, want it free", r.path, status, reply)
			}
			continue
		}
		need, err := ParseScopes(want)
		if err != nil {
			t.Fatal(err)
		}
		method := r.method
		if r.path == "/v1/events" || r.path == "/v1/dashboard/stream" {
			method = "HEAD" // a stream would not end
		}
		if status, _, h := g.ask("", method, namedAs(r.path), "{}"); status != 401 || h.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d, want 401 with WWW-Authenticate", r.path, status)
		}
		for _, set := range allSets()[1:] {
			secret := secretOf(strings.ReplaceAll(set.String(), ",", "."))
			status, reply, _ := g.ask(secret, method, namedAs(r.path), "{}")
			isIn := status != http.StatusUnauthorized && status != http.StatusForbidden
			if isIn != (set&need != 0) {
				t.Errorf("%s with %s: %d %s, want in: %v", r.path, set, status, reply, set&need != 0)
			}
			if !isIn && method != "HEAD" && !strings.Contains(errorIn(t, reply).Limit, "scope="+want) {
				t.Errorf("%s with %s: %s, want the scope %s named", r.path, set, reply, want)
			}
		}
	}
}

func TestEveryRowOfTheRulesIsARoute(t *testing.T) {
	for i := range routeRules {
		rule := &routeRules[i]
		isUsed := false
		for k := range routeTable {
			path := namedAs(routeTable[k].path)
			isUsed = isUsed || path == rule.path || rule.below && strings.HasPrefix(path, rule.path)
		}
		if !isUsed {
			t.Errorf("%s is no route", rule.path)
		}
	}
}

// wantOfCommand is section Access for the commands of the table.
var wantOfCommand = map[string]Scope{
	"list_token": ScopeAdmin, "list_perp": ScopeAdmin, "list_dex": ScopeAdmin, "list_spot": ScopeAdmin,
	"set_parameters": ScopeAdmin, "import_account": ScopeAdmin, "halt": ScopeAdmin, "resume": ScopeAdmin, "recheck": ScopeAdmin,
	"prices": ScopeFeed, "funding": ScopeFeed, "clock": ScopeFeed,
	"open_account": ScopeTrade, "set_mode": ScopeTrade, "deposit": ScopeTrade, "withdraw": ScopeTrade, "transfer": ScopeTrade,
	"supply": ScopeTrade, "unsupply": ScopeTrade, "borrow": ScopeTrade, "repay": ScopeTrade, "set_leverage": ScopeTrade,
	"isolated_margin": ScopeTrade, "order": ScopeTrade, "modify": ScopeTrade, "cancel": ScopeTrade, "cancel_all": ScopeTrade,
	"trigger": ScopeTrade, "trade": ScopeTrade, "fill": ScopeTrade,
}

// judged is what judgeScopes says of a batch of kinds.
func judged(granted Scope, kinds ...risk.Kind) (needed Scope, fault *Error) {
	d := &Decoder{granted: granted, isBatch: len(kinds) > 1}
	for i, kind := range kinds {
		d.records = append(d.records, risk.Command{Kind: kind})
		d.groups = append(d.groups, groupAt{record: uint32(i)})
	}
	d.judgeScopes()
	return d.needed, d.err
}

func TestEveryCommandAndEveryPairNeedsItsScopes(t *testing.T) {
	for i := range specs {
		first := &specs[i]
		need, isKnown := wantOfCommand[first.name]
		if !isKnown {
			t.Errorf("%s: nobody has said which scope it needs: add it to kindScopes and here", first.name)
			continue
		}
		if int(first.kind) >= len(kindScopes) || kindScopes[first.kind] == 0 {
			t.Errorf("%s has no row in kindScopes", first.name)
		}
		for _, set := range allSets()[1:] {
			needed, fault := judged(set, first.kind)
			if needed != need || (fault == nil) != (set&need != 0) {
				t.Errorf("%s with %s: needs %s, %v; want %s", first.name, set, needed, fault, need)
			}
			for k := range specs {
				second := &specs[k]
				union := need | wantOfCommand[second.name]
				needed, fault := judged(set, first.kind, second.kind)
				if needed != union || (fault == nil) != (union&^set == 0) {
					t.Errorf("%s, %s with %s: needs %s, %v; want %s", first.name, second.name, set, needed, fault, union)
				}
			}
		}
	}
	if needed, fault := judged(scopesAll&^ScopeAdmin, risk.Kind(255)); needed != ScopeAdmin || fault == nil {
		t.Errorf("a kind without a row needs %s (%v), want admin", needed, fault)
	}
}

func TestARequestWithoutATokenIsTurnedAway(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk read,trade") })
	good := secretOf("desk")
	for _, c := range []struct {
		name, header string
		want         int
	}{
		{"none", "", 401},
		{"the right one", "Bearer " + good, 200},
		{"scheme in other case", "bEARER " + good, 200},
		{"no scheme", good, 401},
		{"another scheme", "Digest " + good, 401},
		{"scheme alone", "Bearer ", 401},
		{"two blanks", "Bearer  " + good, 401},
		{"one letter less", "Bearer " + good[:len(good)-1], 401},
		{"one letter more", "Bearer " + good + "x", 401},
		{"another letter", "Bearer Q" + good[1:], 401},
		{"another case", "Bearer " + strings.ToUpper(good), 401},
		{"much too long", "Bearer " + strings.Repeat("x", 4000), 401},
		{"Basic with the token", "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+good)), 200},
		{"Basic without a colon", "Basic " + base64.StdEncoding.EncodeToString([]byte(good)), 401},
		{"Basic that is no base64", "Basic !!", 401},
		{"Basic that is long", "Basic " + strings.Repeat("QUFB", 200), 401},
	} {
		var more []string
		if c.header != "" {
			more = []string{"Authorization", c.header}
		}
		status, reply, h := g.ask("", "GET", "/v1/status", "", more...)
		if status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, status, reply, c.want)
		}
		if status == 401 {
			e := errorIn(t, reply)
			if e.Code != "unauthorized" || e.Field != "Authorization" || !strings.Contains(h.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %+v %v", c.name, e, h)
			}
		}
		if strings.Contains(reply, good) || strings.Contains(g.audit.String(), good) {
			t.Errorf("%s: the token is in the reply or the log", c.name)
		}
	}
	if status, _, _ := g.ask("", "GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d, want it free", status)
	}
	if n := g.server.AccessCounts().Unauthorized; n != 13 {
		t.Errorf("%d are counted, want 13", n)
	}
}

// A browser sends Basic to every page that asks it to: it must never move anything.
func TestBasicReadsOnly(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "root read,feed,trade,admin", "mover trade") })
	basicOf := func(name string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+secretOf(name)))}
	}
	for _, c := range []struct {
		name, method, path string
		want               int
	}{
		{"root", "GET", "/v1/status", 200},
		{"root", "POST", "/v1/commands", 403},
		{"root", "POST", "/v1/snapshot", 403},
		{"root", "GET", "/debug/pprof/heap", 403},
		{"mover", "GET", "/v1/status", 403},
		{"mover", "POST", "/v1/commands", 403},
	} {
		body := `{"type":"halt","all":true}`
		if status, reply, _ := g.ask("", c.method, c.path, body, basicOf(c.name)...); status != c.want {
			t.Errorf("%s %s %s: %d %s, want %d", c.name, c.method, c.path, status, reply, c.want)
		}
	}
	_, _, h := g.ask("", "GET", "/v1/status", "", "Accept", "text/html,*/*")
	if got := h.Values("WWW-Authenticate"); len(got) != 2 || !strings.HasPrefix(got[1], "Basic ") {
		t.Errorf("a browser is told %q, want Basic among it", got)
	}
}

func TestABatchNeedsTheUnionAndIsRefusedWhole(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk trade", "ops admin", "root read,feed,trade,admin") })
	open := `{"type":"open_account","account":"alice","mode":"portfolio"}`
	halt := `{"type":"halt","all":true}`
	dex := `{"type":"list_dex","dex":"","index":0,"collateral_token":"USDC"}`
	status, reply := g.command("desk", "["+open+","+halt+"]")
	if e := errorIn(t, reply); status != 403 || e.Code != "forbidden" || e.Field != "commands[1].type" || e.Limit != "scope=admin" ||
		!strings.Contains(e.Message, "halt") {
		t.Errorf("%d %+v, want 403 at commands[1].type that names admin", status, e)
	}
	status, reply = g.command("ops", halt+"\n"+open, "Content-Type", "application/x-ndjson")
	if e := errorIn(t, reply); status != 403 || e.Field != "commands[1].type" || e.Limit != "scope=trade" {
		t.Errorf("%d %+v, want 403 at commands[1].type that names trade", status, e)
	}
	status, reply = g.command("desk", dex)
	if e := errorIn(t, reply); status != 403 || e.Field != "type" || e.Limit != "scope=admin" {
		t.Errorf("%d %+v, want 403 at type", status, e)
	}
	if _, reply, _ := g.ask(secretOf("root"), "GET", "/v1/accounts/alice", ""); errorIn(t, reply).Code != "unknown_account" {
		t.Errorf("a part of a forbidden batch was applied: %s", reply)
	}
	if g.server.dir.Account([]byte("alice")) != risk.NoAccount {
		t.Error("a forbidden batch was given a slot")
	}
	if status, reply := g.command("root", "["+open+","+halt+"]"); status != 200 || strings.Contains(reply, `"ok":false`) {
		t.Errorf("with all scopes: %d %s", status, reply)
	}
	record := make([]byte, risk.CommandSize)
	risk.AppendCommand(record[:0], &risk.Command{Kind: risk.KindHalt, Flags: risk.FlagAll})
	if status, reply := g.command("desk", string(record), "Content-Type", "application/vnd.plimsoll.commands"); status != 403 {
		t.Errorf("a record: %d %s, want 403", status, reply)
	}
}

// An id belongs to the name of the token: no header lets one ask for the results of another.
func TestIDsBelongToTheToken(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "one trade", "two trade", "one_b trade") })
	open := func(account string) string {
		return `{"type":"open_account","account":"` + account + `","mode":"portfolio","id":"7"}`
	}
	for _, c := range []struct {
		token, account string
		isDuplicate    bool
	}{{"one", "a", false}, {"one", "a", true}, {"two", "b", false}, {"two", "c", true}} {
		_, reply := g.command(c.token, open(c.account), "X-Plimsoll-Client", "one")
		if strings.Contains(reply, `"duplicate":true`) != c.isDuplicate || !strings.Contains(reply, `"ok":true`) {
			t.Errorf("%s opens %s: %s, want a repeat: %v", c.token, c.account, reply, c.isDuplicate)
		}
	}
}

func TestReplacedTokensCountAtOnce(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "old read", "less read,trade", "keeps read") })
	ask := func(name, path string, want int) {
		t.Helper()
		if status, reply, _ := g.ask(secretOf(name), "GET", path, ""); status != want {
			t.Errorf("%s: %d %s, want %d", name, status, reply, want)
		}
	}
	stream := func(name string) *bufio.Reader {
		ctx, cancel := context.WithTimeout(t.Context(), slack)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url()+"/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secretOf(name))
		req.Header.Set("Accept", "application/x-ndjson")
		resp, err := g.client.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(err, resp)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return bufio.NewReader(resp.Body)
	}
	g.server.listeners.beatEvery = 20 * time.Millisecond
	ask("old", "/v1/status", 200) // the connection remembers it
	ask("new", "/v1/status", 401)
	ended, lasting := stream("old"), stream("keeps")
	nc := g.dial() // what a connection remembers of its last request must not outlive the tokens
	replies := bufio.NewReader(nc)
	again := func(want int) {
		t.Helper()
		if _, err := io.WriteString(nc, "GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+secretOf("old")+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(replies, nil)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%v %v, want %d", resp, err, want)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	again(200)
	again(200)
	defer again(401)
	g.server.SetTokens(tokensOf(t, "new read", "less trade", "keeps read"))
	ask("old", "/v1/status", 401)
	ask("new", "/v1/status", 200)
	ask("less", "/v1/status", 403)
	text, err := io.ReadAll(ended)
	if err != nil || !strings.Contains(string(text), `"unauthorized"`) {
		t.Errorf("the stream of a token that is gone: %q (%v), want an end that says so", text, err)
	}
	if line, err := lasting.ReadString('\n'); err != nil {
		t.Errorf("the stream of a token that stays has ended: %q %v", line, err)
	}
}

func TestAdminActionsAreWrittenDown(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk trade,read", "ops admin,trade") })
	g.command("desk", `{"type":"open_account","account":"alice","mode":"portfolio"}`)
	_, reply := g.command("ops", `[{"type":"halt","all":true},{"type":"halt","account":"alice"},{"type":"resume","account":"nobody"},`+
		`{"type":"deposit","account":"alice","token":"USDC","amount":"1.0"}]`)
	g.command("desk", `{"type":"halt","all":true}`)
	g.command("ops", `{"type":"halt","all":tru}`)
	g.ask(secretOf("ops"), "POST", "/v1/snapshot", "")
	g.ask(secretOf("desk"), "POST", "/v1/snapshot?token="+secretOf("desk"), "")
	g.ask("nobody knows this one, whatever it is", "POST", "/v1/snapshot", "")
	g.ask("nobody knows this one, whatever it is", "POST", "/v1/snapshot", "")
	var got []string
	for line := range strings.SplitSeq(strings.TrimSpace(g.audit.String()), "\n") {
		var x struct {
			Time, Level, Msg, Token, Remote, Route, Type, Outcome string
			Count                                                 int
			Seq                                                   uint64
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil || x.Time == "" || x.Msg != "audit" || x.Remote != "127.0.0.1" {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, strings.Join([]string{x.Token, x.Route, x.Type, x.Outcome}, "|"))
		if x.Type == "halt" && (x.Count != 2 || x.Seq == 0 || !strings.Contains(reply, `"seq":`+string(appendInt(nil, int64(x.Seq))))) {
			t.Errorf("%s, want two halts and the seq of the first; the reply was %s", line, reply)
		}
	}
	want := []string{
		"ops|POST /v1/commands|halt|ok",
		"ops|POST /v1/commands|resume|unknown_account",
		"desk|POST /v1/commands||forbidden",
		"ops|POST /v1/snapshot||409",
		"desk|POST /v1/snapshot||forbidden",
		"|POST /v1/snapshot||unauthorized",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("written down:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, name := range []string{"desk", "ops"} {
		if strings.Contains(g.audit.String(), secretOf(name)) {
			t.Errorf("the token of %s is in the audit log", name)
		}
	}
}

// A page of somebody else, opened in a browser on the daemon's machine, can send bodies that
// it gives no type, or one of a form; JSON only after the browser has asked, which is refused.
func TestPagesOfOthersSendNothing(t *testing.T) {
	g := newGuarded(t, func(*Config) {})
	open := `{"type":"open_account","account":"alice","mode":"portfolio"}`
	for _, c := range []struct {
		method string
		header []string
		want   int
	}{
		{"POST", []string{"Origin", "https://example.org"}, 415},
		{"POST", []string{"Origin", "null"}, 415},
		{"POST", []string{"Origin", "https://example.org", "Content-Type", "text/plain"}, 415},
		{"POST", []string{"Origin", "https://example.org", "Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"OPTIONS", []string{"Origin", "https://example.org", "Access-Control-Request-Method", "POST"}, 405},
		{"POST", nil, 200},
	} {
		status, reply, h := g.ask("", c.method, "/v1/commands", open, c.header...)
		if status != c.want || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %q: %d %s, want %d", c.method, c.header, status, reply, c.want)
		}
	}
}
