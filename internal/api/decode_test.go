package api

import (
	"strings"
	"testing"

	"plimsoll/risk"
)

func TestBadInputIsRefusedWhole(t *testing.T) {
	for _, c := range badInputs {
		t.Run(c.name, func(t *testing.T) {
			dir := testDirectory()
			before := dir.AccountCount() + dir.tokens.count() + dir.perps.count() + dir.spots.count() + dir.dexes.count()
			d := NewDecoder(dir)
			err := d.Decode([]byte(c.body), FormJSON, 0)
			if err == nil {
				t.Fatalf("Decode(%.200s) accepts it, want %s at %q", c.body, c.code, c.field)
			}
			if err.Code != c.code || err.Field != c.field || err.Status != 400 {
				t.Errorf("Decode(%.200s) = %d %s at %q (%s), want 400 %s at %q",
					c.body, err.Status, err.Code, err.Field, err.Message, c.code, c.field)
			}
			if err.Message == "" {
				t.Error("the error has no message")
			}
			switch err.Code {
			case codeLimitExceeded, codeNameTooLong, codeTooManyDigits, codeTooDeep:
				if err.Limit == "" {
					t.Errorf("%s names no limit", err.Code)
				}
			}
			if len(d.Records()) != 0 || d.Commands() != 0 {
				t.Errorf("%d records are left", len(d.Records()))
			}
			after := dir.AccountCount() + dir.tokens.count() + dir.perps.count() + dir.spots.count() + dir.dexes.count()
			if before != after {
				t.Errorf("a refused body gave out %d slots", after-before)
			}
		})
	}
}

func TestWholeBatchIsRefusedForItsLastByte(t *testing.T) {
	dir := testDirectory()
	d := NewDecoder(dir)
	body := `[{"type":"open_account","account":"carol","mode":"unified"},{"type":"clock","time":1}`
	if err := d.Decode([]byte(body), FormJSON, 0); err == nil {
		t.Fatal("Decode accepts an array without its end")
	}
	if slot := dir.Account([]byte("carol")); slot != risk.NoAccount {
		t.Errorf("a refused batch gave carol slot %d", slot)
	}
	if err := d.Decode([]byte(body+"]"), FormJSON, 0); err != nil {
		t.Fatal(err)
	}
	if slot := dir.Account([]byte("carol")); slot != 2 {
		t.Errorf("carol has slot %d, want 2", slot)
	}
}

func TestEveryCommandOfTheContractDecodes(t *testing.T) {
	for _, c := range []struct {
		body    string
		kind    risk.Kind
		records int
	}{
		{tokenBody, risk.KindListToken, 4},
		{strings.Replace(tokenBody, `"index":9`, `"index":9,"full_name":"Tether \"USD\"","token_id":"0x6d1e7cde53ba9467b783cb7c530ce054","sz_decimals":3,"takeover_width":"300000","oracle_perp":"ETH"`, 1), risk.KindListToken, 5},
		{perp(`[{"lower_bound":"0","max_leverage":25},{"lower_bound":"100000000","max_leverage":15}]`), risk.KindListPerp, 3},
		{perp(`[` + strings.Repeat(`{"lower_bound":"0","max_leverage":4},`, 7) + `{"lower_bound":"0","max_leverage":4}]`), risk.KindListPerp, 4},
		{`{"type":"list_dex","dex":"flx","index":2,"collateral_token":"USDC"}`, risk.KindListDex, 2},
		{`{"type":"list_dex","dex":"","index":0,"collateral_token":"USDC"}`, risk.KindListDex, 2},
		{`{"type":"list_spot","spot":"@107","index":107,"base":"HYPE","quote":"USDC"}`, risk.KindListSpot, 2},
		{`{"type":"set_parameters","offset_mode":"add","order_margin_basis":"original","hl_compat":true,"rebalance_hourly":false,"max_clock_step":1000,"min_borrow_offset":"20"}`, risk.KindSetParameters, 1},
		{`{"type":"set_parameters","liquidation":true,"backstop_account":"bob"}`, risk.KindSetParameters, 1},
		{`{"type":"open_account","account":"carol","mode":"portfolio","master":"bob"}`, risk.KindOpenAccount, 1},
		{imported(`[{"token":"USDC","total":"-5.5","supplied":"0","borrowed":"5.5","basis":"5","entry_ntl":"0"}]`, `[{"perp":"BTC","size":"-1","entry_notional":"60000","leverage":10,"margin":"isolated","raw_usd":"66000","cum_funding":"-1.5"}]`, `[{"order_id":"1","market":"HYPE/USDC","side":"sell","price":"40","size":"1","orig_size":"2","reduce_only":true,"trigger":{"price":"39","is_market":false,"tpsl":"tp"}}]`), risk.KindImportAccount, 4},
		{strings.Replace(imported(`[]`, `[]`, `[]`), `"orders"`, `"dexes":[{"dex":"","raw_usd":"1"},{"dex":"xyz","raw_usd":"2"}],"orders"`, 1), risk.KindImportAccount, 3},
		{`{"type":"set_mode","account":"bob","mode":"unified"}`, risk.KindSetMode, 1},
		{`{"type":"deposit","account":"bob","token":"USDC","amount":"1","wallet":"perp:xyz"}`, risk.KindDeposit, 1},
		{`{"type":"withdraw","account":"bob","token":"USDC","amount":"1","wallet":"spot"}`, risk.KindWithdraw, 1},
		{`{"type":"transfer","from":"bob","to":"bob","token":"USDC","amount":"1","from_wallet":"perp","to_wallet":"spot"}`, risk.KindTransfer, 1},
		{`{"type":"supply","account":"bob","token":"USDC","amount":"all"}`, risk.KindSupply, 1},
		{`{"type":"unsupply","account":"bob","token":"USDC","amount":"1"}`, risk.KindUnsupply, 1},
		{`{"type":"borrow","account":"bob","token":"USDC","amount":"1"}`, risk.KindBorrow, 1},
		{`{"type":"repay","account":"bob","token":"USDC","amount":"all"}`, risk.KindRepay, 1},
		{`{"type":"set_leverage","account":"bob","perp":"BTC","leverage":20,"margin":"isolated"}`, risk.KindSetLeverage, 1},
		{`{"type":"isolated_margin","account":"bob","perp":"BTC","amount":"-5"}`, risk.KindIsolatedMargin, 1},
		{orderBody, risk.KindOrder, 1},
		{order("trigger", `{"price":"59000","is_market":true,"tpsl":"sl"}`), risk.KindOrder, 1},
		{`{"type":"modify","account":"bob","order_id":"12","size":"2"}`, risk.KindModify, 1},
		{`{"type":"cancel","account":"bob","order_id":"0x00000000000000000000000000000001"}`, risk.KindCancel, 1},
		{`{"type":"cancel_all","account":"bob","market":"BTC"}`, risk.KindCancelAll, 1},
		{`{"type":"trigger","account":"bob","order_id":"12"}`, risk.KindTrigger, 1},
		{`{"type":"trade","market":"BTC","size":"1","price":"60000","buyer":{"account":"bob","order_id":"1","fee":"0.1"},"seller":{"account":"0x5E9EE1089755C3435139848E47E6635505D5A13A","fee":"-0.1"}}`, risk.KindTrade, 2},
		{`{"type":"fill","account":"bob","market":"HYPE/USDC","side":"sell","size":"1","price":"40","fee":"0.01","fee_token":"HYPE","order_id":"5","liquidation":{"id":7,"method":"backstop"}}`, risk.KindFill, 1},
		{`{"type":"prices","marks":{"BTC":"60000","xyz:TSLA":"400"},"oracles":{"BTC":"60001"},"spots":{"HYPE/USDC":"40"},"token_oracles":{"USDC":"1.0"}}`, risk.KindPrices, 2},
		{`{"type":"prices","marks":{}}`, risk.KindPrices, 1},
		{`{"type":"funding","rates":{"BTC":"-0.0000125"}}`, risk.KindFunding, 1},
		{`{"type":"clock","time":1790091087693,"id":"9"}`, risk.KindClock, 1},
		{`{"type":"halt","market":"BTC"}`, risk.KindHalt, 1},
		{`{"type":"resume","all":true}`, risk.KindResume, 1},
		{`{"type":"recheck","account":"bob"}`, risk.KindRecheck, 1},
	} {
		d := NewDecoder(testDirectory())
		if err := d.Decode([]byte(c.body), FormJSON, 3); err != nil {
			t.Errorf("Decode(%.300s): %v", c.body, err)
			continue
		}
		group := d.Records()
		if len(group) != c.records || group[0].Kind != c.kind || group[0].Client != 3 || d.IsBatch() {
			t.Errorf("Decode(%.300s) gives %d records of kind %d, want %d of kind %d", c.body, len(group), group[0].Kind, c.records, c.kind)
		}
		for i := range group {
			if int(group[i].GroupLeft) != len(group)-1-i {
				t.Errorf("record %d of %d has GroupLeft %d", i, len(group), group[i].GroupLeft)
			}
			for n, ref := range group[i].Ref {
				if ref == unknownSlot || ref == risk.NoSlot && !mayBeAbsent(&group[i], n) {
					t.Errorf("Decode(%.300s): record %d has no slot in Ref[%d]", c.body, i, n)
				}
			}
		}
		checkBinaryRoundTrip(t, d)
	}
}

// mayBeAbsent lists the references that stay NoSlot in a good command.
func mayBeAbsent(c *risk.Command, n int) bool {
	switch c.Kind {
	case risk.KindListToken:
		return n == risk.RefMarket
	case risk.KindOpenAccount, risk.KindImportAccount:
		return n == risk.RefOther
	case risk.KindFill:
		return n == risk.RefToken
	default:
		return false
	}
}

// checkBinaryRoundTrip sends what was decoded through the binary form and wants it back.
func checkBinaryRoundTrip(t *testing.T, d *Decoder) {
	t.Helper()
	var wire []byte
	for i := range d.records {
		wire = risk.AppendCommand(wire, &d.records[i])
	}
	b := NewDecoder(d.dir)
	if err := b.Decode(wire, FormRecords, d.client); err != nil {
		t.Errorf("binary form of %d: %v", d.records[0].Kind, err)
		return
	}
	for i := range d.records {
		if b.records[i] != d.records[i] {
			t.Errorf("record %d of kind %d: binary form gives %+v, want %+v", i, d.records[i].Kind, b.records[i], d.records[i])
		}
	}
}

func TestOrderFieldsLandWhereTheMachineReadsThem(t *testing.T) {
	d := NewDecoder(testDirectory())
	if err := d.Decode([]byte(orderBody), FormJSON, 0); err != nil {
		t.Fatal(err)
	}
	want := risk.Command{
		Kind: risk.KindOrder, Flags: risk.FlagOrderID, IDLo: 123456, IDForm: risk.FormUint, OrderForm: risk.FormUUID,
		OrderHi: 0x7c9e6679742540de, OrderLo: 0x944be07fc1f90ae7, Num: [4]int64{12345, 601235}, Dec: [4]uint8{5, 1},
	}
	if got := d.Records()[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestParametersOfLiquidation: bits and the account of set_parameters, as docs/WIRE.md has them.
func TestParametersOfLiquidation(t *testing.T) {
	dir := testDirectory()
	bob := dir.Account([]byte("bob"))
	const sells, crossOnly = 1<<12 | 1<<13, 1<<14 | 1<<15 // by themselves where an account is named
	for _, c := range []struct {
		fields  string
		aux     uint64
		account uint32
	}{
		{`"liquidation":true`, 1<<7 | 1<<11, 0},
		{`"liquidation":false`, 1 << 7, 0},
		{`"backstop_account":"bob"`, 1<<6 | sells | crossOnly, bob},
		{`"backstop_account":"bob","backstop_twap":false`, 1<<6 | 1<<12 | crossOnly, bob},
		{`"backstop_cross_only":false,"backstop_account":"bob"`, 1<<6 | sells | 1<<14, bob},
		{`"backstop_twap":true`, sells, 0},
		{`"backstop_cross_only":true`, crossOnly, 0},
		{`"backstop_limit":"5000000"`, 1 << 16, 0},
		{`"backstop_account":null`, 1 << 6, risk.NoAccount},
		{`"backstop_account":"nobody"`, 1<<6 | sells | crossOnly, unknownSlot}, // refused by the rules, and not none
		{`"backstop_account":"bob","liquidation":false`, 1<<6 | 1<<7 | sells | crossOnly, bob},
	} {
		d := NewDecoder(dir)
		if err := d.Decode([]byte(`{"type":"set_parameters",`+c.fields+`}`), FormJSON, 0); err != nil {
			t.Errorf("%s: %v", c.fields, err)
			continue
		}
		if got := d.Records()[0]; got.Aux != c.aux || got.Account() != c.account {
			t.Errorf("%s: aux %b, account %d, want %b, %d", c.fields, got.Aux, got.Account(), c.aux, c.account)
		}
	}
}

func TestBatchMayListAndUse(t *testing.T) {
	d := NewDecoder(NewDirectory(16))
	body := strings.Join([]string{
		`{"type":"list_token","token":"USDC","index":0,"wei_decimals":8,"ltv":"0","borrowable":true,"supply_cap":"1","borrow_cap":"1","user_supply_cap":"1","user_borrow_cap":"1","rate":{"base":"0","slope":"0","kink":"0","reserve_factor":"0"},"oracle_perp":"ETH"}`,
		perp(`[{"lower_bound":"0","max_leverage":25}]`),
		`{"type":"prices","marks":{"ETH":"2500"}}`,
		`{"type":"open_account","account":"0x5E9EE1089755C3435139848E47E6635505D5A13A","mode":"unified"}`,
		`{"type":"deposit","account":"0x5e9ee1089755c3435139848e47e6635505d5a13a","token":"USDC","amount":"1"}`,
		`{"type":"deposit","account":"nobody","token":"USDC","amount":"1"}`,
	}, "\n")
	if err := d.Decode([]byte(body), FormLines, 0); err != nil {
		t.Fatal(err)
	}
	if d.Commands() != 6 || !d.IsBatch() {
		t.Fatalf("%d commands, want 6", d.Commands())
	}
	if got := d.Group(1)[0].Market(); got != 0 {
		t.Errorf("ETH has slot %d, want 0", got)
	}
	if got := d.Group(2)[0].Ref[0]; got != 0 {
		t.Errorf("the mark is of slot %d, want 0", got)
	}
	if got := d.Group(4)[0].Account(); got != 0 {
		t.Errorf("the deposit goes to slot %d, want 0", got)
	}
	if got := d.Group(5)[0].Account(); got != risk.NoAccount {
		t.Errorf("nobody has slot %d, want none", got)
	}
}

func TestUnknownNamesBecomeNoSlot(t *testing.T) {
	d := NewDecoder(testDirectory())
	for _, c := range []struct {
		body string
		ref  int
		want uint32
	}{
		{order("account", `"eve"`), risk.RefAccount, risk.NoAccount},
		{order("market", `"DOGE"`), risk.RefMarket, risk.NoSlot},
		{`{"type":"deposit","account":"bob","token":"DOGE","amount":"1"}`, risk.RefToken, risk.NoSlot},
		{`{"type":"fill","account":"bob","market":"BTC","side":"buy","size":"1","price":"1","fee_token":"DOGE"}`, risk.RefToken, unknownSlot},
		{`{"type":"open_account","account":"x","mode":"unified","master":"eve"}`, risk.RefOther, unknownSlot},
		{`{"type":"prices","marks":{"DOGE":"1"}}`, 0, risk.NoSlot},
	} {
		if err := d.Decode([]byte(c.body), FormJSON, 0); err != nil {
			t.Errorf("%s: %v", c.body, err)
		} else if got := d.Records()[0].Ref[c.ref]; got != c.want {
			t.Errorf("%s: Ref[%d] = %#x, want %#x", c.body, c.ref, got, c.want)
		}
	}
}

func TestDecodeOfAnOrderAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	d := NewDecoder(testDirectory())
	body := []byte(orderBody)
	if n := testing.AllocsPerRun(200, func() {
		if err := d.Decode(body, FormJSON, 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decode of an order allocates %v times, want 0", n)
	}
}
