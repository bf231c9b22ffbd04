package clienttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// told is a reply and the place of the contract that speaks of it.
type told struct {
	Path   string          `json:"path"`
	Method string          `json:"method"`
	Status int             `json:"status"`
	Reply  json.RawMessage `json:"reply"`
}

// linted is a line that lint.mjs takes.
type linted struct {
	Document json.RawMessage `json:"document"`
	Replies  []told          `json:"replies"`
}

// TestContractIsOpenAPI31 has the document that the daemon serves linted against the schema that
// the OpenAPI initiative publishes, and the daemon's replies checked against it, by public
// validators. The document with a fault, and a reply of another shape, have to be seen.
func TestContractIsOpenAPI31(t *testing.T) {
	program := node(t)
	h := newHouse(t)
	h.furnish()
	h.liquidate()
	_, document := h.get("/openapi.json")
	replies := h.replies()
	edits := [][2]string{
		{`"responses"`, `"answers"`},              // a path without
		{`"type":"string"`, `"type":"text"`},      // no such type
		{`"maximum"`, `"mostly"`},                 // no such key
		{`"#/components/schemas/`, `"#/schemas/`}, // leads nowhere
	}
	all := []linted{{document, replies}, {document, []told{{"/v1/status", "get", 200, json.RawMessage(`{"seq":"1"}`)}}}}
	for _, edit := range edits {
		broken := strings.Replace(string(document), edit[0], edit[1], 1)
		if broken == string(document) {
			t.Fatalf("the document has no %s", edit[0])
		}
		all = append(all, linted{json.RawMessage(broken), nil})
	}
	for i, faults := range lint(t, program, all) {
		switch {
		case i == 0 && len(faults) > 0:
			t.Errorf("the contract has faults:\n%s", strings.Join(faults, "\n"))
		case i == 1 && len(faults) == 0:
			t.Error("a reply of another shape is not seen")
		case i > 1 && len(faults) == 0:
			t.Errorf("%s for %s is not seen", edits[i-2][1], edits[i-2][0])
		}
	}
}

func lint(t *testing.T, program string, all []linted) [][]string {
	t.Helper()
	var input bytes.Buffer
	for i := range all {
		if err := json.NewEncoder(&input).Encode(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	faults := make([][]string, len(all))
	output := json.NewDecoder(bytes.NewReader(run(t, input.Bytes(), program, "lint.mjs")))
	for i := range faults {
		if err := output.Decode(&faults[i]); err != nil {
			t.Fatal(err)
		}
	}
	return faults
}

// get reads a page.
func (h *house) get(path string) (status int, reply []byte) {
	h.t.Helper()
	response, err := http.Get(h.url + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if reply, err = io.ReadAll(response.Body); err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, reply
}

// replies asks the routes that answer JSON, about every account where they read one.
func (h *house) replies() (all []told) {
	h.t.Helper()
	add := func(route, path string) {
		status, reply := h.get(path)
		all = append(all, told{route, "get", status, reply})
	}
	for _, path := range []string{
		"/v1/status", "/v1/tokens", "/v1/perps", "/v1/spots", "/v1/pools", "/v1/totals", "/v1/accounts",
	} {
		add(path, path)
	}
	add("/v1/pools/{token}", "/v1/pools/USDC")
	add("/v1/pools/{token}", "/v1/pools/NOPE")
	add("/v1/pools/{token}/history", "/v1/pools/USDC/history")
	for _, account := range everybody {
		for _, part := range []string{"", "/margin", "/explain", "/liquidation_prices"} {
			add("/v1/accounts/{account}"+part, "/v1/accounts/"+account+part)
		}
		status, reply := h.post("/v1/accounts/"+account+"/simulate", "application/json", []byte(`{"prices":{"marks":{"BTC":"50000"}}}`))
		all = append(all, told{"/v1/accounts/{account}/simulate", "post", status, reply})
	}
	for _, body := range []string{deposit(lender, "USDC", 1), deposit("x", "USDC", 1), deposit("", "USDC", 1), `[` + deposit(lender, "USDC", 1) + `]`} {
		status, reply := h.post("/v1/commands", "application/json", []byte(body))
		all = append(all, told{"/v1/commands", "post", status, reply})
	}
	return all
}
