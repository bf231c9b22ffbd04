package api

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestContractIsLinted(t *testing.T) {
	d := readContract(t)
	for _, fault := range d.lint() {
		t.Error(fault)
	}
	if paths := d.root["paths"].(map[string]any); len(paths) != len(routeTable) {
		t.Errorf("%d paths of %d routes", len(paths), len(routeTable))
	}
}

// TestContractLintSeesFaults breaks the document in several ways.
func TestContractLintSeesFaults(t *testing.T) {
	for what, edit := range map[string]func(d *contractDoc){
		"dangling": func(d *contractDoc) { delete(d.schemas, "Tier") },
		"unused":   func(d *contractDoc) { d.schemas["Stray"] = map[string]any{"type": "string"} },
		"same id": func(d *contractDoc) {
			d.root["paths"].(map[string]any)["/info"].(map[string]any)["post"].(map[string]any)["operationId"] = "getStatus"
		},
		"no summary": func(d *contractDoc) {
			delete(d.root["paths"].(map[string]any)["/info"].(map[string]any)["post"].(map[string]any), "summary")
		},
		"no parameter": func(d *contractDoc) {
			delete(d.root["paths"].(map[string]any)["/v1/pools/{token}"].(map[string]any)["get"].(map[string]any), "parameters")
		},
		"required": func(d *contractDoc) {
			d.schemas["Tier"].(map[string]any)["required"] = []any{"nothing"}
		},
	} {
		d := readContract(t)
		edit(d)
		if len(d.lint()) == 0 {
			t.Errorf("%s: no fault is found", what)
		}
	}
}

// TestContractHasEveryRoute reads the router's own source: every path in it is a row of the
// table, and every row is answered, by its method alone.
func TestContractHasEveryRoute(t *testing.T) {
	var paths []string
	for _, text := range literals(t, "server.go", "handle", "handleNamed") {
		if strings.HasPrefix(text, "/") {
			paths = append(paths, text)
		}
	}
	if len(paths) < 15 {
		t.Fatalf("the router has the paths %v", paths)
	}
	for _, path := range paths {
		found := false
		for i := range routeTable {
			found = found || routeTable[i].path == path || strings.HasPrefix(routeTable[i].path, path+"{")
		}
		if !found {
			t.Errorf("the router answers %s, routeTable does not have it", path)
		}
	}
	for _, part := range literals(t, "routes.go", "account") {
		if word := strings.Trim(part, "/"); word != "" && word != "GET" && word != "POST" && !strings.Contains(word, " ") &&
			routeOf([]byte("/v1/accounts/x/"+word)) == routeOther {
			t.Errorf("an account answers %s, routeTable does not have it", word)
		}
	}
	h := newHouse(t, 1)
	h.furnish()
	for i := range routeTable {
		r := &routeTable[i]
		path := strings.NewReplacer("{account}", alice, "{token}", "USDC", "{profile}", "goroutine", "{file}", "app.js").Replace(r.path)
		if got := routeOf([]byte(path)); got != i {
			t.Errorf("%s is taken for row %d, it is %d", path, got, i)
		}
		isStream := len(r.replies) > 0 && r.replies[0].kind == mediaEvents
		if !isStream {
			if status, reply, _ := h.do(r.method, path, "", ""); status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d %s", r.method, path, status, reply)
			}
		}
		if status, _, _ := h.do("PUT", path, "", ""); status != http.StatusMethodNotAllowed {
			t.Errorf("PUT %s: %d, want 405", path, status)
		}
		if !strings.Contains(routeList, strings.SplitN(r.path, "{", 2)[0]) {
			t.Errorf("GET / does not list %s", r.path)
		}
	}
	if got := routeOf([]byte("/v1/accounts/x/margin/y")); got != routeOther {
		t.Errorf("a path below a route is taken for row %d", got)
	}
}

// literals returns the strings in functions of a file of this room.
func literals(t *testing.T, file string, functions ...string) (texts []string) {
	t.Helper()
	syntax, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range syntax.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && slices.Contains(functions, f.Name.Name) {
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
					text, _ := strconv.Unquote(lit.Value)
					texts = append(texts, text)
				}
				return true
			})
		}
	}
	return texts
}

// TestContractHasEveryCode looks for constants of codes in every file of this room.
func TestContractHasEveryCode(t *testing.T) {
	set := gotoken.NewFileSet()
	packages, err := parser.ParseDir(set, ".", nil, parser.SkipObjectResolution) //nolint:staticcheck // one room, no build tags that matter
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, row := range errorTable {
		known[row.code] = true
	}
	seen := 0
	for _, file := range packages["api"].Files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "code") || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
				seen++
				if code, _ := strconv.Unquote(lit.Value); !known[code] {
					t.Errorf("%s: errorTable does not have it", set.Position(spec.Pos()).String()+" "+code)
				}
			}
			return true
		})
	}
	if seen < 30 {
		t.Errorf("only %d codes were found", seen)
	}
	codes := wordSchemas()[6].words
	for _, code := range []string{"insufficient_margin", "unknown_account", "arithmetic_overflow"} {
		if !slices.Contains(codes, code) {
			t.Errorf("ErrorCode does not have %s", code)
		}
	}
}

// TestContractHasEveryField: openapi.txt describes what commands take, and nothing else.
func TestContractHasEveryField(t *testing.T) {
	schemas, err := parseSchemas(schemaText)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(schemas, func(o object) bool { return o.name == "fields" })
	used := map[string]bool{}
	for n := range specs {
		s := &specs[n]
		for f := range fieldCount {
			if !s.allowed.has(f) {
				continue
			}
			if p := fieldOf(&schemas[i], s.name, fieldNames[f]); p.about == "Not described." {
				t.Errorf("%s.%s is not described in openapi.txt", s.name, fieldNames[f])
			} else {
				used[p.name] = true
			}
		}
	}
	for _, f := range schemas[i].fields {
		if !used[f.name] {
			t.Errorf("openapi.txt describes %s, which no command takes", f.name)
		}
	}
}

// TestRepliesFitTheContract holds replies of every kind against their schemas, and the
// commands that this room's tests send.
func TestRepliesFitTheContract(t *testing.T) {
	d := readContract(t)
	for _, shards := range []int{1, 2} {
		h, stop := newDurableHouse(t, t.TempDir(), shards)
		h.furnish()
		d.check(t, "Status", h.get("/v1/status"))
		_, reply, _ := h.do("POST", "/v1/snapshot", "", "")
		d.check(t, "Snapshot", reply)
		d.check(t, "Status", h.get("/v1/status"))
		for _, c := range contractCommands {
			status, reply, _ := h.do("POST", "/v1/commands", "application/json", c)
			if status == http.StatusBadRequest {
				d.check(t, "ErrorReply", reply)
				continue
			}
			d.check(t, "CommandReply", reply)
			d.check(t, "CommandBody", c)
		}
		for _, account := range []string{alice, bobby, "sub-1", "new"} {
			path := "/v1/accounts/" + account
			d.check(t, "Account", h.get(path))
			d.check(t, "MarginReply", h.get(path+"/margin"))
			d.check(t, "Explanation", h.get(path+"/explain"))
			d.check(t, "LiquidationPrices", h.get(path+"/liquidation_prices"))
			body := `{"commands":[{"type":"order","account":"` + account + `","market":"BTC","side":"buy","size":"1","price":"58000",` +
				`"order_id":"777"}],"prices":{"marks":{"BTC":"30000"},"oracles":{"BTC":"30000"}}}`
			d.check(t, "SimulationBody", body)
			_, reply, _ = h.do("POST", path+"/simulate", "application/json", body)
			d.check(t, "Simulation", reply)
		}
		for path, schema := range map[string]string{
			"/v1/accounts": "NearestAccounts", "/v1/tokens": "Tokens", "/v1/perps": "Perps", "/v1/spots": "Spots",
			"/v1/pools": "Pools", "/v1/pools/USDC": "PoolReply", "/v1/totals": "TotalsReply", "/openapi.json": "Contract",
			"/v1/whatif?market=BTC&move=-0.4": "WhatIf", "/v1/whatif?move=0.25": "WhatIf",
		} {
			d.check(t, schema, h.get(path))
		}
		for _, path := range []string{"/nowhere", "/v1/accounts/nobody", "/v1/accounts?limit=0", "/v1/events?after=99999", "/v1/events?after=x"} {
			_, reply, _ := h.do("GET", path, "", "")
			d.check(t, "ErrorReply", reply)
		}
		for _, line := range h.lines("/v1/events?after=0", 20) {
			d.check(t, "Event", line)
		}
		stop()
	}
}

var contractCommands = []string{
	`{"type":"deposit","account":"` + alice + `","token":"USDC","amount":"1","id":"5"}`,
	`{"type":"deposit","account":"` + alice + `","token":"USDC","amount":"1","id":"5"}`,
	`{"type":"order","account":"` + bobby + `","market":"BTC","side":"buy","size":"0.1","price":"58000","order_id":"91"}`,
	`{"type":"order","account":"` + bobby + `","market":"BTC","side":"buy","size":"1000","price":"58000","order_id":"92"}`,
	`{"type":"order","account":"nobody","market":"BTC","side":"buy","size":"1000","price":"58000","order_id":"92"}`,
	`{"type":"fill","account":"` + alice + `","market":"BTC","side":"buy","size":"1.5","price":"59990","order_id":"99999"}`,
	`{"type":"withdraw","account":"` + alice + `","token":"USDC","amount":"1000000000"}`,
	`[{"type":"clock","time":1790091097693},{"type":"cancel","account":"` + bobby + `","order_id":"91"}]`,
	`{"type":"open_account","account":"new","mode":"standard"}`,
	`{"type":"prices","marks":{"BTC":"20000"},"oracles":{"BTC":"20000"}}`,
	`{"type":"set_mode","account":"new","mode":"unified"}`,
	`{"type":"halt","all":true}`,
	`{"type":"resume","all":true}`,
	`{"type":"deposit"}`,
	`[]`,
}

// lines reads so many lines of a stream.
func (h *house) lines(path string, count int) (lines []string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url()+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/x-ndjson")
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for range count {
		var line json.RawMessage
		if err := decoder.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			if ctx.Err() == nil {
				h.t.Fatal(err)
			}
			return lines // there are no more
		}
		lines = append(lines, string(line))
	}
	return lines
}
