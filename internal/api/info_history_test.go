package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const perpBTC = `{"type":"list_perp","perp":"BTC","index":0,"dex":"","sz_decimals":5,"collateral_token":"USDC",` +
	`"tiers":[{"lower_bound":"0","max_leverage":40}],"margin_mode":"normal"}`

// TestFundingHistoryIsTheVenues: the rates of May 2023, given hour by hour, are told as the venue
// told them. Premiums are not known here.
func TestFundingHistoryIsTheVenues(t *testing.T) {
	type row struct {
		Coin, FundingRate, Premium string
		Time                       int64
	}
	const file = "python-sdk_funding_history_1684811870000.json"
	var want []row
	if err := json.Unmarshal(captured(t, file, "response"), &want); err != nil || len(want) < 30 {
		t.Fatal(len(want), err)
	}
	for _, shards := range []int{1, 3} {
		h := newHouse(t, shards)
		lines := []string{
			`{"type":"clock","time":1683849000000}`, token("USDC", 0, 8, "0", ""), perpBTC,
			`{"type":"prices","oracles":{"BTC":"27000"}}`,
		}
		for _, r := range want {
			lines = append(lines, fmt.Sprintf(`{"type":"funding","time":%d,"rates":{"BTC":%q}}`, r.Time, r.FundingRate))
		}
		h.must(lines...)
		reply := h.info(string(captured(t, file, "request")))
		checkShape(t, "fundingHistory", shapeOf(t, captured(t, file, "response")), reply)
		var got []row
		if err := json.Unmarshal([]byte(reply), &got); err != nil || len(got) != len(want) {
			t.Fatalf("%d rows, want %d: %v", len(got), len(want), err)
		}
		for i := range want {
			if want[i].Premium = "0.0"; got[i] != want[i] {
				t.Errorf("row %d: %+v, want %+v", i, got[i], want[i])
			}
		}
		reply = h.info(fmt.Sprintf(`{"type":"fundingHistory","coin":"BTC","startTime":%d,"endTime":%d}`, want[3].Time, want[4].Time))
		if n := strings.Count(reply, `"time"`); n != 2 {
			t.Errorf("%d rows between two times, want 2: %s", n, reply)
		}
	}
}

func TestUserHistoriesHaveTheShapesOfTheVenue(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	const hour = 3_600_000
	at := int64(1790091087693)
	for range 3 {
		at += hour
		h.must(fmt.Sprintf(`{"type":"clock","time":%d}`, at), `{"type":"funding","rates":{"BTC":"0.0000125"}}`)
	}
	ask := func(kind, user, more string) string {
		return h.info(`{"type":"` + kind + `","user":"` + user + `","startTime":0` + more + `}`)
	}
	const funding = "python-sdk_user_funding_history.json"
	shape := shapeOf(t, []byte(`[{"time":1,"hash":"0x0","delta":{"type":"funding","coin":"BTC","usdc":"0.0","szi":"0.0","fundingRate":"0.0","nSamples":null}}]`))
	sameKeys(t, captured(t, funding, "response"), shape)
	reply := ask("userFunding", alice, "")
	checkShape(t, "userFunding", shape, reply)
	if n := strings.Count(reply, `"usdc":"-1.1251875","szi":"1.5","fundingRate":"0.0000125"`); n != 4 {
		t.Errorf("%d payments of 1.5 x 60010 x 0.0000125, want 4: %s", n, reply)
	}
	if n := strings.Count(ask("userFunding", bobby, fmt.Sprintf(`,"endTime":%d`, at-hour)), `"usdc":"0.3750625"`); n != 3 {
		t.Errorf("%d rows of the short side, want 3", n)
	}
	interest := ask("userBorrowLendInterest", alice, `,"endTime":null`)
	if interest != "[]" { // nobody borrows here
		t.Errorf("interest: %s", interest)
	}
	const nobody = "0x0000000000000000000000000000000000000000"
	for _, kind := range []string{"userFunding", "userBorrowLendInterest", "userNonFundingLedgerUpdates"} {
		if reply := ask(kind, nobody, ""); reply != "[]" {
			t.Errorf("%s of nobody: %s", kind, reply)
		}
	}
}

// sameKeys wants the captured reply, whose recorder sorted keys, to have the keys of a shape.
func sameKeys(t *testing.T, captured json.RawMessage, want *shape) {
	t.Helper()
	got := shapeOf(t, captured)
	for path, keys := range got.keys {
		if len(keys) != len(want.keys[path]) {
			t.Errorf("the venue has %v at %q, want %v", keys, path, want.keys[path])
		}
	}
}

func TestUserLedgerHasTheShapesOfTheVenue(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	h.must(
		`{"type":"transfer","from":"sub-1","to":"sub-1","token":"USDC","amount":"12","from_wallet":"perp","to_wallet":"spot"}`,
		`{"type":"deposit","account":"sub-1","token":"HYPE","amount":"10","wallet":"spot"}`,
		`{"type":"transfer","from":"sub-1","to":"`+bobby+`","token":"HYPE","amount":"4","from_wallet":"spot"}`,
		`{"type":"transfer","from":"`+bobby+`","to":"sub-1","token":"USDC","amount":"7"}`,
		`{"type":"withdraw","account":"sub-1","token":"USDC","amount":"1"}`,
		`{"type":"supply","account":"sub-1","token":"HYPE","amount":"2"}`,
	)
	reply := h.info(`{"type":"userNonFundingLedgerUpdates","user":"sub-1","startTime":0,"endTime":null}`)
	var rows []struct {
		Time  int64
		Hash  string
		Delta json.RawMessage
	}
	if err := json.Unmarshal([]byte(reply), &rows); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"type":"deposit","usdc":"5000.0"}`,
		`{"type":"accountClassTransfer","usdc":"12.0","toPerp":false}`,
		`{"type":"spotTransfer","token":"HYPE","amount":"10.0","usdcValue":"404.5","user":"0x2000000000000000000000000000000000000096","destination":"sub-1","fee":"0.0","nativeTokenFee":"0.0","nonce":null,"feeToken":""}`,
		`{"type":"spotTransfer","token":"HYPE","amount":"4.0","usdcValue":"161.8","user":"sub-1","destination":"` + bobby + `","fee":"0.0","nativeTokenFee":"0.0","nonce":null,"feeToken":""}`,
		`{"type":"internalTransfer","usdc":"7.0","user":"` + bobby + `","destination":"sub-1","fee":"0.0"}`,
		`{"type":"withdraw","usdc":"1.0","nonce":30,"fee":"0.0"}`,
		`{"type":"borrowLend","token":"HYPE","operation":"supply","amount":"2.0","interestAmount":"0.0"}`,
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d: %s", len(rows), len(want), reply)
	}
	shapes := map[string]*shape{}
	var sample []struct{ Delta json.RawMessage }
	if err := json.Unmarshal(captured(t, "python-sdk_user_non_funding_ledger_updates.json", "response"), &sample); err != nil {
		t.Fatal(err)
	}
	for _, x := range sample {
		shapes[deltaType(t, x.Delta)] = shapeOf(t, x.Delta)
	}
	if len(shapes) < 3 {
		t.Fatalf("%d types in the capture", len(shapes))
	}
	for i := range want {
		if got := string(rows[i].Delta); got != want[i] {
			t.Errorf("row %d\n got %s\nwant %s", i, got, want[i])
		}
		if s := shapes[deltaType(t, rows[i].Delta)]; s != nil {
			checkShape(t, "ledger", s, string(rows[i].Delta))
		}
		if len(rows[i].Hash) != 66 {
			t.Errorf("hash %q", rows[i].Hash)
		}
	}
}

func deltaType(t *testing.T, delta json.RawMessage) string {
	t.Helper()
	var x struct{ Type string }
	if err := json.Unmarshal(delta, &x); err != nil {
		t.Fatal(err)
	}
	return x.Type
}

// TestInterestRowsAddUp: what userBorrowLendInterest lists is what the balance grew by.
func TestInterestRowsAddUp(t *testing.T) {
	h := newHouse(t, 3)
	h.must(
		`{"type":"clock","time":1800000000000}`, token("USDC", 0, 8, "0", ""), token("HYPE", 150, 8, "0.65", ""), perpBTC,
		`{"type":"prices","marks":{"BTC":"60000"},"oracles":{"BTC":"60000"},"token_oracles":{"HYPE":"40"}}`,
		`{"type":"open_account","account":"lender","mode":"portfolio"}`,
		`{"type":"open_account","account":"carry","mode":"portfolio"}`,
		`{"type":"deposit","account":"lender","token":"USDC","amount":"100000"}`,
		`{"type":"deposit","account":"carry","token":"HYPE","amount":"10000"}`,
		`{"type":"fill","account":"carry","market":"BTC","side":"sell","size":"5","price":"60000"}`, // a tenth is borrowed
	)
	for n := range 4 {
		h.must(fmt.Sprintf(`{"type":"clock","time":%d}`, 1800000000000+3_600_000*(n+1)))
	}
	reply := h.info(`{"type":"userBorrowLendInterest","user":"lender","startTime":1800003600000,"endTime":1800010800000}`)
	if n := strings.Count(reply, `"token":"USDC"`); n != 3 {
		t.Errorf("%d rows of three hours: %s", n, reply)
	}
	checkShape(t, "userBorrowLendInterest", shapeOf(t, []byte(`[{"time":1,"token":"USDC","borrow":"0.0","supply":"0.0"}]`)), reply)
	if reply = h.info(`{"type":"userBorrowLendInterest","user":"carry","startTime":0}`); strings.Count(reply, `"borrow":"0.17123337"`) != 1 {
		t.Errorf("the first hour of 30000 at 5 %% is not there: %s", reply)
	}
	history := h.get("/v1/pools/USDC/history?limit=3")
	if n := strings.Count(history, `"borrow_rate":"0.05"`); n != 3 {
		t.Errorf("%d hours of the pool, want 3: %s", n, history)
	}
	for _, path := range []string{"/v1/pools/USDC/past", "/v1/pools/NOPE/history", "/v1/pools/USDC/history?limit=x", "/v1/pools/USDC/history?limit=721"} {
		if status, reply, _ := h.do("GET", path, "", ""); status != 404 && status != 400 {
			t.Errorf("GET %s: %d %s", path, status, reply)
		}
	}
}

// TestPriceGuardsOverHTTP: a price outside its band is refused with field, value and limit, and
// the listings tell what each price may be used for.
func TestPriceGuardsOverHTTP(t *testing.T) {
	h := newHouse(t, 2)
	h.must(
		`{"type":"clock","time":1800000000000}`, token("USDC", 0, 8, "0", ""),
		token("HYPE", 150, 8, "0.65", `,"max_price_age":5000,"price_band":"0.25"`),
		strings.Replace(perpBTC, `"sz_decimals"`, `"max_price_age":3000,"price_band":"0.1","sz_decimals"`, 1),
		`{"type":"list_spot","spot":"HYPE/USDC","index":107,"base":"HYPE","quote":"USDC","max_price_age":3000}`,
		`{"type":"prices","marks":{"BTC":"60000"},"oracles":{"BTC":"60000"},"token_oracles":{"HYPE":"40"}}`,
	)
	_, reply, _ := h.do("POST", "/v1/commands", "application/json", `{"type":"prices","marks":{"BTC":"66000.1"},"token_oracles":{"HYPE":"41"}}`)
	for _, part := range []string{`"code":"invalid_price"`, `"field":"marks.BTC"`, `"limit":"66000.0"`, `"required":"66000.1"`, `"rule":"price_band"`, `marks.BTC 66000.1`} {
		if !strings.Contains(reply, part) {
			t.Errorf("refusal lacks %s: %s", part, reply)
		}
	}
	if perps := h.get("/v1/perps"); !strings.Contains(perps, `"price_class":"fresh","max_price_age":3000,"price_band":"0.1"`) {
		t.Errorf("perps: %s", perps)
	}
	h.must(`{"type":"clock","time":1800000003001}`)
	if perps := h.get("/v1/perps"); !strings.Contains(perps, `"price_class":"stale"`) {
		t.Errorf("perps: %s", perps)
	}
	if tokens := h.get("/v1/tokens"); !strings.Contains(tokens, `"price_class":"fresh","max_price_age":5000,"price_band":"0.25"`) {
		t.Errorf("tokens: %s", tokens)
	}
	_, reply, _ = h.do("POST", "/v1/commands", "application/json", strings.Replace(perpBTC, `"sz_decimals"`, `"price_band":"0.1","sz_decimals"`, 1))
	if !strings.Contains(reply, `"code":"invalid_listing"`) {
		t.Errorf("a band without an age: %s", reply)
	}
}
