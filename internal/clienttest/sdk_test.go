package clienttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nodeMajorMin is the least version of node that the SDK runs on.
const nodeMajorMin = 22

// node returns the program that runs the scripts of this folder: the one that the packages
// hold, else that of the system. Without packages the test is skipped, or fails when
// PLIMSOLL_CLIENTS is "required".
func node(t *testing.T) string {
	t.Helper()
	const how = "run 'npm ci --ignore-scripts' in internal/clienttest"
	missing := t.Skipf
	if os.Getenv("PLIMSOLL_CLIENTS") == "required" {
		missing = t.Fatalf
	}
	if _, err := os.Stat("node_modules/@nktkas/hyperliquid/package.json"); err != nil {
		missing("the npm packages of internal/clienttest are not installed: %s", how)
	}
	cpu := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	pinned, err := filepath.Abs("node_modules/node-" + runtime.GOOS + "-" + cpu + "/bin/node")
	if err == nil {
		if _, err = os.Stat(pinned); err == nil {
			return pinned
		}
	}
	version, err := exec.Command("node", "--version").Output()
	var major int
	if _, scanErr := fmt.Sscanf(string(version), "v%d.", &major); err != nil || scanErr != nil || major < nodeMajorMin {
		missing("node %d or later is needed, and no package pins one for %s %s: %s", nodeMajorMin, runtime.GOOS, cpu, how)
	}
	return "node"
}

// run runs a program with an input and returns what it printed.
func run(t *testing.T, input []byte, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	var faults bytes.Buffer
	command.Stdin, command.Stderr = bytes.NewReader(input), &faults
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, faults.Bytes())
	}
	return output
}

// question is a line that read.mjs takes: a method of the SDK and its parameters, or a reply to
// it that is known already.
type question struct {
	file   string          // that a known reply is from
	URL    string          `json:"url,omitempty"`
	Method string          `json:"method"`
	Params map[string]any  `json:"params,omitempty"`
	Reply  json.RawMessage `json:"reply,omitempty"`
}

// answer is a line that it prints.
type answer struct {
	question
	Status int
	Faults []string
}

func (a *answer) String() string {
	params, _ := json.Marshal(a.Params)
	return a.Method + " " + string(params)
}

// reader is the run of read.mjs that all tests share: it takes a second to read the SDK's types.
type reader struct {
	command *exec.Cmd
	input   io.WriteCloser
	lines   *bufio.Scanner
	faults  bytes.Buffer
}

var sdk *reader

func TestMain(m *testing.M) {
	code := m.Run()
	if sdk != nil {
		_ = sdk.input.Close()
		if err := sdk.command.Wait(); err != nil {
			fmt.Fprintf(os.Stderr, "read.mjs: %v\n%s", err, sdk.faults.Bytes())
			code = 1
		}
	}
	os.Exit(code)
}

// start starts the SDK at its first use.
func start(t *testing.T) {
	t.Helper()
	program := node(t)
	if sdk != nil {
		return
	}
	r := &reader{command: exec.Command(program, "read.mjs")}
	r.command.Stderr = &r.faults
	input, err := r.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := r.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = r.command.Start(); err != nil {
		t.Fatal(err)
	}
	r.input, r.lines = input, bufio.NewScanner(output)
	r.lines.Buffer(nil, 64<<20)
	sdk = r
}

// ask has the SDK read from a daemon and check, and returns what it says, in order.
func ask(t *testing.T, url string, questions []question) []answer {
	t.Helper()
	answers := make([]answer, len(questions))
	for i := range questions {
		questions[i].URL = url
		line, err := json.Marshal(&questions[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err = sdk.input.Write(append(line, '\n')); err != nil || !sdk.lines.Scan() {
			t.Fatalf("%s: %v, %v\n%s", line, err, sdk.lines.Err(), sdk.faults.Bytes())
		}
		if err := json.Unmarshal(sdk.lines.Bytes(), &answers[i]); err != nil {
			t.Fatalf("%.200s: %v", sdk.lines.Bytes(), err)
		}
	}
	return answers
}

// everyQuestion asks each request of POST /info that Plimsoll answers, about every account where it
// reads one.
func everyQuestion() (all []question) {
	add := func(method string, params map[string]any) {
		all = append(all, question{Method: method, Params: params})
	}
	for _, method := range []string{
		"meta", "metaAndAssetCtxs", "allMids", "spotMeta", "spotMetaAndAssetCtxs", "allPerpMetas", "perpDexs",
		"allBorrowLendReserveStates", "liquidatable", "exchangeStatus",
	} {
		add(method, nil)
	}
	for _, method := range []string{"meta", "metaAndAssetCtxs", "allMids"} {
		add(method, map[string]any{"dex": "xyz"})
	}
	for _, id := range []int{3, 50, 56, 57} {
		add("marginTable", map[string]any{"id": id})
	}
	for _, token := range []int{0, 150} {
		add("borrowLendReserveState", map[string]any{"token": token})
	}
	for _, coin := range []string{"BTC", "xyz:TSLA"} {
		add("fundingHistory", map[string]any{"coin": coin, "startTime": 0})
		add("fundingHistory", map[string]any{"coin": coin, "startTime": startMs, "endTime": startMs + hourMs})
	}
	for _, user := range everybody {
		for _, method := range []string{"spotClearinghouseState", "borrowLendUserState", "userAbstraction", "subAccounts"} {
			add(method, map[string]any{"user": user})
		}
		for _, method := range []string{"clearinghouseState", "openOrders", "frontendOpenOrders"} {
			add(method, map[string]any{"user": user})
			add(method, map[string]any{"user": user, "dex": "xyz"})
		}
		for _, method := range []string{"userFunding", "userBorrowLendInterest", "userNonFundingLedgerUpdates"} {
			add(method, map[string]any{"user": user, "startTime": 0})
			add(method, map[string]any{"user": user, "startTime": startMs + hourMs, "endTime": startMs + 2*hourMs})
		}
		for _, coin := range []string{"BTC", "HYPE", "xyz:TSLA"} {
			add("activeAssetData", map[string]any{"user": user, "coin": coin})
		}
	}
	return all
}

// belowZero is the worth of an account that has lost more than it had.
var belowZero = regexp.MustCompile(`"accountValue":"-[0-9]+\.[0-9]+"`)

// isUnderstood reports whether a fault is one of two that the SDK's types leave open. Its type of
// liquidatable knows isolated positions alone and says that a "cross" variant, unconfirmed, may
// exist; its pattern of accountValue has no sign.
func (a *answer) isUnderstood(fault string) bool {
	switch a.Method {
	case "liquidatable":
		return strings.Contains(fault, "/positionIndex: must be object") && strings.Contains(string(a.Reply), `"positionIndex":"cross"`)
	case "clearinghouseState":
		return strings.Contains(fault, "arginSummary/accountValue: must match pattern") && belowZero.Match(a.Reply)
	}
	return false
}

// TestSDKReadsEveryInfo: Hyperliquid's public SDK reads every request of POST /info, before and
// after liquidations; each reply is what its types say, and no number changes on the way
// through JavaScript.
func TestSDKReadsEveryInfo(t *testing.T) {
	start(t)
	h := newHouse(t)
	h.furnish()
	questions := everyQuestion()
	h.check(ask(t, h.url, questions))
	h.liquidate()
	answers := ask(t, h.url, questions)
	h.check(answers)
	hasAll(t, answers)
}

// check wants answers without faults, and what the SDK has read to be what the daemon says.
func (h *house) check(answers []answer) {
	h.t.Helper()
	for i := range answers {
		a := &answers[i]
		for _, fault := range a.Faults {
			if !a.isUnderstood(fault) {
				h.t.Errorf("%s: %s\n%.1500s", a, fault, a.Reply)
			}
		}
		body := map[string]any{"type": a.Method}
		maps.Copy(body, a.Params)
		text, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		status, reply := h.post("/info", "application/json", text)
		if status != http.StatusOK || !isSame(h.t, a.Reply, reply) {
			h.t.Errorf("%s: %d, the SDK has read\n%s\nof\n%s", a, status, a.Reply, reply)
		}
	}
}

// hasAll wants every type of api.md asked for, and each variant of a reply that a risk engine
// tells to stand in one: a check of empty lists proves nothing.
func hasAll(t *testing.T, answers []answer) {
	t.Helper()
	var methods []string
	replies := map[string]string{}
	for i := range answers {
		methods = append(methods, answers[i].Method)
		replies[answers[i].Method] += string(answers[i].Reply)
	}
	slices.Sort(methods)
	if got := len(slices.Compact(methods)); got != 24 {
		t.Errorf("%d types are asked for, want 24", got)
	}
	for method, parts := range map[string][]string{
		"clearinghouseState":     {`"type":"cross"`, `"type":"isolated"`, `"coin":"xyz:TSLA"`, `"liquidationPx":null`},
		"activeAssetData":        {`"type":"cross"`, `"type":"isolated"`},
		"spotClearinghouseState": {`"portfolioMarginRatio"`, `"borrowed"`, `"supplied"`, `"ltv"`, `"tokenToAvailableAfterMaintenance":[[`, `"spotHold"`},
		"borrowLendUserState":    {`"health":"healthy"`, `"healthFactor":"`, `"healthFactor":null`},
		"userAbstraction":        {`"unifiedAccount"`, `"portfolioMargin"`, `"disabled"`, `"default"`},
		"subAccounts":            {`null`, `"subAccountUser"`},
		"openOrders":             {`"reduceOnly":true`, `"cloid":"0x`, `"side":"A"`, `"oid":9007199254740991`, `"coin":"@107"`, `"coin":"PURR/USDC"`},
		"frontendOpenOrders":     {`"Limit"`, `"Stop Market"`, `"Stop Limit"`, `"Take Profit Market"`, `"Take Profit Limit"`, `"Price above `, `"Price below `, `"tif":null`},
		"fundingHistory":         {`"fundingRate":"0.0000125"`},
		"userFunding":            {`"usdc":"-`, `"fundingRate":"-0.0001"`},
		"userBorrowLendInterest": {`"borrow":"0.0","supply":"0.`, `"supply":"0.0"`},
		"userNonFundingLedgerUpdates": {
			`"deposit"`, `"withdraw"`, `"accountClassTransfer"`, `"send"`, `"internalTransfer"`, `"subAccountTransfer"`, `"spotTransfer"`,
			`"operation":"supply"`, `"operation":"withdraw"`, `"operation":"borrow"`, `"operation":"repay"`,
			`"leverageType":"Cross"`, `"leverageType":"Isolated"`,
		},
		"liquidatable": {`{"isolated":{"asset":110001}}`},
		"meta":         {`"marginMode":"noCross"`, `"marginMode":"strictIsolated"`},
		"spotMeta":     {`"isCanonical":true`, `"fullName":"Hyperliquid"`, `"fullName":null`},
	} {
		for _, part := range parts {
			if !strings.Contains(replies[method], part) {
				t.Errorf("no reply to %s has %s", method, part)
			}
		}
	}
}

// TestSDKSeesRefusals: what the venue refuses is an error with the venue's status for the SDK.
func TestSDKSeesRefusals(t *testing.T) {
	start(t)
	h := newHouse(t)
	h.furnish()
	for i, a := range ask(t, h.url, []question{
		{Method: "borrowLendReserveState", Params: map[string]any{"token": 999}},
		{Method: "fundingHistory", Params: map[string]any{"coin": "NOPE", "startTime": 0}},
		{Method: "meta", Params: map[string]any{"dex": "nope"}},
		{Method: "l2Book", Params: map[string]any{"coin": "BTC"}}, // not answered here
	}) {
		want := []int{500, 500, 422, 422}[i]
		if a.Status != want || len(a.Faults) != 1 || !strings.HasPrefix(a.Faults[0], "HttpRequestError: "+strconv.Itoa(want)) {
			t.Errorf("%s: %d %q, want an error of status %d", &a, a.Status, a.Faults, want)
		}
	}
}

// isSame reports whether two JSON texts hold the same values; 600.0 and 600 are the same.
func isSame(t *testing.T, a, b []byte) bool {
	t.Helper()
	plain := func(text []byte) string {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("%.200s: %v", text, err)
		}
		sorted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.ReplaceAll(string(sorted), ".0,", ","), ".0]", "]")
	}
	return plain(a) == plain(b)
}
