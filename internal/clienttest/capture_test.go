package clienttest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captured collects the replies in what was captured from the venue: objects with request and
// response, and accounts whose keys are the types of the requests.
func captured(t *testing.T) (all []question) {
	t.Helper()
	var visit func(file string, raw json.RawMessage)
	visit = func(file string, raw json.RawMessage) {
		add := func(method string, reply json.RawMessage) {
			all = append(all, question{file: file, Method: method, Reply: reply})
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, one := range list {
				visit(file, one)
			}
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return
		}
		var request struct{ Type string }
		if json.Unmarshal(object["request"], &request) == nil && request.Type != "" && object["response"] != nil {
			add(request.Type, object["response"])
			return
		}
		for _, key := range []string{"clearinghouseState", "spotClearinghouseState", "openOrders", "borrowLendUserState"} {
			if object[key] != nil {
				add(key, object[key])
			}
		}
		var assets map[string]json.RawMessage
		if json.Unmarshal(object["activeAssetData"], &assets) == nil {
			for _, reply := range assets {
				add("activeAssetData", reply)
			}
		}
	}
	for _, folder := range []string{"../../testdata/hyperliquid", "../api/testdata/venue"} {
		err := filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(name) != ".json" {
				return err
			}
			raw, err := os.ReadFile(name)
			visit(filepath.Base(name), raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// otherwise lists the captured replies that the SDK's types do not fit: part of the file's name,
// the method, and why.
var otherwise = []struct{ file, method, why string }{
	{"get_user_state", "clearinghouseState", "of March 2023"},
	{"get_funding_history", "meta", "of May 2023"},
	{"metaAndAssetCtxs_main_2025-08-22", "metaAndAssetCtxs", "before collateralToken"},
	{"perpDexs_2025-12-13", "perpDexs", "before assetToFundingInterestRate"},
	{"unified_isolated", "activeAssetData", "without the rawUsd that the SDK's own tests read of the venue"},
	{"portfolio_margin_2026-09-22", "openOrders", "not captured: null"},
	{"14_scaled", "openOrders", "a choice of columns"},
}

// TestCheckerTakesTheVenuesReplies: what the SDK's types allow is what the venue says. Otherwise
// our replies would be held against a fancy.
func TestCheckerTakesTheVenuesReplies(t *testing.T) {
	start(t)
	questions := captured(t)
	if len(questions) < 20 {
		t.Fatalf("only %d captured replies are found", len(questions))
	}
	isUsed := make([]bool, len(otherwise))
	for i, a := range ask(t, "", questions) {
		if len(a.Faults) == 0 {
			continue
		}
		isKnown := false
		for n, o := range otherwise {
			if a.Method == o.method && strings.Contains(questions[i].file, o.file) {
				isKnown, isUsed[n] = true, true
			}
		}
		if !isKnown {
			t.Errorf("%s: %s: %q\n%.300s", questions[i].file, a.Method, a.Faults[:1], a.Reply)
		}
	}
	for n, o := range otherwise {
		if !isUsed[n] {
			t.Errorf("%s of %s fits by now: take it off the list", o.method, o.file)
		}
	}
}

// TestCheckerSeesFaults breaks a reply in every way that matters.
func TestCheckerSeesFaults(t *testing.T) {
	start(t)
	const good = `{"type":"oneWay","position":{"coin":"BTC","szi":"-0.5","leverage":{"type":"cross","value":20},"entryPx":"60010.0","positionValue":"30000.0",` +
		`"unrealizedPnl":"5.0","returnOnEquity":"0.0033327779","liquidationPx":null,"marginUsed":"1500.0","maxLeverage":40,` +
		`"cumFunding":{"allTime":"0.0","sinceOpen":"0.0","sinceChange":"0.0"}}}`
	const sums = `{"accountValue":"0.0","totalNtlPos":"0.0","totalRawUsd":"0.0","totalMarginUsed":"0.0"}`
	state := func(position string) question {
		return question{Method: "clearinghouseState", Reply: json.RawMessage(`{"marginSummary":` + sums + `,"crossMarginSummary":` + sums +
			`,"crossMaintenanceMarginUsed":"0.0","withdrawable":"0.0","assetPositions":[` + position + `],"time":1}`)}
	}
	edits := [][2]string{
		{`"szi":"-0.5",`, ``},                             // a key is missing
		{`"szi"`, `"extra":"0.0","szi"`},                  // one too many
		{`"-0.5"`, `-0.5`},                                // a number
		{`"-0.5"`, `"-5e-1"`},                             // an exponent
		{`"60010.0"`, `"-60010.0"`},                       // a sign
		{`"60010.0"`, `null`},                             // null
		{`"cross"`, `"isolated"`},                         // without rawUsd
		{`"oneWay"`, `"hedge"`},                           // another word
		{`"maxLeverage":40`, `"maxLeverage":"40"`},        // a text
		{`"value":20`, `"value":20,"rawUsd":"0.0"`},       // of the other variant
		{`"sinceOpen":"0.0"`, `"sinceOpen":"0.0.0"`},      // two points
		{`{"allTime"`, `{"alltime":"0.0","allTime"`},      // another case
		{`"liquidationPx":null`, `"liquidationPx":"nan"`}, // no number
	}
	questions := []question{state(good)}
	for _, e := range edits {
		questions = append(questions, state(strings.Replace(good, e[0], e[1], 1)))
	}
	for i, a := range ask(t, "", questions) {
		switch {
		case i == 0 && len(a.Faults) > 0:
			t.Errorf("the good one: %q", a.Faults)
		case i > 0 && len(a.Faults) == 0:
			t.Errorf("%q for %q is not seen", edits[i-1][1], edits[i-1][0])
		}
	}
}
