package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// tree is a node of GET /v1/accounts/{account}/explain.
type tree struct {
	Name, Token, Rounding, Source string
	Value, Formula                *string
	ID, Ref                       *int
	Inputs                        []tree
}

type explained struct {
	Token string
	Trees []tree
}

// find returns the first node of a name, depth first.
func (t *tree) find(name string) *tree {
	if t.Name == name && t.Formula != nil {
		return t
	}
	for i := range t.Inputs {
		if found := t.Inputs[i].find(name); found != nil {
			return found
		}
	}
	return nil
}

// wellFormed reports what is wrong with the shape of a tree; ids collects its terms.
func (t *tree) wellFormed(ids map[int]string) string {
	switch {
	case t.Formula != nil && (t.ID == nil || t.Ref != nil || t.Source != ""),
		t.Formula == nil && len(t.Inputs) > 0,
		t.Formula == nil && (t.Ref == nil) == (t.Source == ""):
		return t.Name + " is not exactly one of term, leaf and reference"
	case t.Ref != nil && ids[*t.Ref] != t.Name+" "+*t.Value:
		return t.Name + " refers to something else"
	}
	if t.ID != nil && t.Value != nil {
		ids[*t.ID] = t.Name + " " + *t.Value
	}
	for i := range t.Inputs {
		if fault := t.Inputs[i].wellFormed(ids); fault != "" {
			return t.Name + "/" + fault
		}
	}
	return ""
}

type crossing struct {
	Perp, Token       string
	Price             *string
	TriggerPrice      *string `json:"trigger_price"`
	TriggerReason     string  `json:"trigger_reason"`
	HyperliquidPrice  *string `json:"hyperliquid_price"`
	HyperliquidReason string  `json:"hyperliquid_reason"`
	Line              map[string]string
}

type crossings struct {
	Positions, Collaterals []crossing
	Nearest                struct {
		Direction, Bps *string
		GivesWay       map[string]string `json:"gives_way"`
		Down, Up       struct {
			Bps    *string
			Reason string
		}
	} `json:"nearest_crossing"`
}

type simulated struct {
	Results []struct {
		OK                  bool
		Required, Available string
		Error               *struct{ Code, Field string }
	}
	Prices        *struct{ OK bool }
	Refused       int
	Events        []struct{ Type, Token, Amount, From, To string }
	Before, After struct {
		Balances []struct{ Token, Total, Borrowed string }
		Margin   marginReply
	}
}

// carryDesk is the account of spec 5.2: 1 BTC supplied, short 1 BTC at ten times from
// 100 000.
func carryDesk(t *testing.T, shards int) *desk {
	d := newDesk(t, shards)
	d.must(usdc(), collateral("UBTC", 197, "0.5"), mainDex(), command{
		"type": "list_perp", "perp": "BTC", "index": 0, "dex": "", "sz_decimals": 2, "collateral_token": "USDC", "margin_mode": "normal",
		"tiers": []command{{"lower_bound": "0", "max_leverage": 40}, {"lower_bound": "150000000", "max_leverage": 20}},
	})
	d.must(
		command{"type": "prices", "marks": command{"BTC": "100000"}, "token_oracles": command{"UBTC": "100000", "USDC": "1"}},
		command{"type": "open_account", "account": "lender", "mode": "portfolio"},
		command{"type": "deposit", "account": "lender", "token": "USDC", "amount": "1000000"},
		command{"type": "open_account", "account": "carry", "mode": "portfolio"},
		command{"type": "deposit", "account": "carry", "token": "UBTC", "amount": "1"},
		command{"type": "set_leverage", "account": "carry", "perp": "BTC", "leverage": 10, "margin": "cross"},
		command{"type": "fill", "account": "carry", "market": "BTC", "side": "sell", "size": "1", "price": "100000"},
	)
	return d
}

func (d *desk) simulate(user string, body command) simulated {
	d.t.Helper()
	var s simulated
	if status := d.do(http.MethodPost, "/v1/accounts/"+user+"/simulate", body, &s); status != http.StatusOK {
		d.t.Fatalf("simulate %v: %d", body, status)
	}
	return s
}

func shocked(price string) command {
	return command{"prices": command{"marks": command{"BTC": price}, "token_oracles": command{"UBTC": price}}}
}

// TestCarryTradeExplainedAndSimulated takes the carry trade of spec 5.2 to 332,640.33 and
// beyond without a single price being sent.
func TestCarryTradeExplainedAndSimulated(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 4} {
		d := carryDesk(t, shards)
		var was, is struct {
			StateHash string `json:"state_hash"`
		}
		d.get("/v1/status", &was)
		for _, x := range []struct{ price, n, mm, b, lc, ratio, health string }{
			{"100000", "0", "1250", "1250", "75000", "0.032787", "healthy"},
			{"150000", "-50000", "1875", "51875", "112500", "0.469945", "healthy"},
			{"300000", "-200000", "3750", "203750", "225000", "0.907104", "at_risk"},
			{"332640.3326", "-232640.33", "4158.00", "236798.34", "249480.25", "0.95", "at_risk"},
			{"332640.3327", "-232640.33", "4158.00", "236798.34", "249480.25", "0.95", "liquidatable"},
			{"400000", "-300000", "5000", "305000", "300000", "1.016393", "backstop"},
		} {
			s := d.simulate("carry", shocked(x.price))
			m := s.After.Margin
			shownEqual(t, "N at "+x.price, m.NetBalance, x.n)
			shownEqual(t, "MM at "+x.price, m.Maintenance, x.mm)
			shownEqual(t, "B at "+x.price, m.BorrowedForMaintenance, x.b)
			shownEqual(t, "LC at "+x.price, m.Liquidation, x.lc)
			shownEqual(t, "PMR at "+x.price, *m.Ratio, x.ratio)
			if m.Health != x.health || s.Prices == nil || !s.Prices.OK {
				t.Errorf("at %s: health %s, want %s (prices %v)", x.price, m.Health, x.health, s.Prices)
			}
			shownEqual(t, "PMR before", *s.Before.Margin.Ratio, "0.032787")
		}
		d.get("/v1/status", &is)
		if was.StateHash != is.StateHash || was.StateHash == "" {
			t.Errorf("simulating moved the state hash from %s to %s", was.StateHash, is.StateHash)
		}

		var e explained
		d.get("/v1/accounts/carry/explain", &e)
		ids := map[int]string{}
		for i := range e.Trees {
			if fault := e.Trees[i].wellFormed(ids); fault != "" {
				t.Errorf("tree %d: %s", i, fault)
			}
		}
		root := &e.Trees[0]
		for name, want := range map[string]string{
			"portfolio_margin_ratio": "0.0327868852", "R": "2500", "MM": "1250", "B": "1250", "N": "0", "LC": "75000", "V": "100000",
			"liquidation_value": "76250", "notional": "100000",
		} {
			n := root.find(name)
			if n == nil {
				t.Errorf("%s is not explained", name)
				continue
			}
			equal(t, name, *n.Value, want)
		}

		var c crossings
		d.get("/v1/accounts/carry/liquidation_prices", &c)
		if len(c.Positions) != 1 || len(c.Collaterals) != 1 || c.Nearest.Direction == nil {
			t.Fatalf("liquidation prices: %+v", c)
		}
		if c.Positions[0].TriggerPrice == nil || c.Collaterals[0].TriggerPrice == nil {
			t.Fatalf("liquidation prices: %+v", c)
		}
		equal(t, "direction", map[string]string{"up": "1", "down": "-1"}[*c.Nearest.Direction], "1")
		equal(t, "nearest crossing", *c.Nearest.Bps, "23264.0333") // 332,640.33 is 232.64 % above 100,000
		if c.Nearest.Down.Bps != nil || c.Nearest.Down.Reason != "never" || c.Nearest.GivesWay["token"] != "USDC" {
			t.Errorf("nearest crossing: %+v", c.Nearest)
		}
		// The short alone: at P, N = 100,000 - P, LC = 75,000, and the ratio is 0.95 at
		// (2 MM - N) = 0.95 (MM + LC) with MM = P/80, so at 171,250 / 1.013125 = 169,031.46206.
		equal(t, "trigger of the position", *c.Positions[0].TriggerPrice, "169031.4621")
		shownEqual(t, "its venue's price", *c.Positions[0].HyperliquidPrice, "172839.5061728395")
	}
}

// TestSimulatedCommandsAnswerAsTheRealOnes runs several at once: each is judged on what
// those before it left, and what is refused is skipped.
func TestSimulatedCommandsAnswerAsTheRealOnes(t *testing.T) {
	t.Parallel()
	d := carryDesk(t, 4)
	order := func(size, id string) command {
		return command{"type": "order", "account": "carry", "market": "BTC", "side": "sell", "size": size, "price": "100000", "order_id": id}
	}
	s := d.simulate("carry", command{"commands": []command{
		order("5", "1"), order("1", "2"), order("1", "2"),
		{"type": "withdraw", "account": "carry", "token": "UBTC", "amount": "0.9"},
		{"type": "deposit", "account": "carry", "token": "USDC", "amount": "50000"},
		{"type": "cancel", "account": "carry", "order_id": "2"},
		{"type": "fill", "account": "carry", "market": "BTC", "side": "buy", "size": "1", "price": "100000"},
		{"type": "withdraw", "account": "carry", "token": "UBTC", "amount": "0.9"},
		{"type": "order", "account": "carry", "market": "NOPE", "side": "buy", "size": "1", "price": "1", "order_id": "3"},
		{"type": "clock", "time": 1},
	}, "prices": command{"marks": command{"BTC": "120000"}}})
	codes := []string{"insufficient_margin", "", "duplicate_order_id", "insufficient_margin", "", "", "", "", "unknown_market", ""}
	for i, want := range codes {
		got := ""
		if s.Results[i].Error != nil {
			got = s.Results[i].Error.Code
		}
		if got != want {
			t.Errorf("command %d: %q, want %q", i, got, want)
		}
	}
	if s.Refused != 4 || s.Prices == nil || !s.Prices.OK {
		t.Errorf("%d refused, prices %v", s.Refused, s.Prices)
	}
	equal(t, "required by the order", s.Results[1].Required, "10100")
	equal(t, "available to it", s.Results[1].Available, "40000")
	equal(t, "ratio without a position", *s.After.Margin.Ratio, "0")
	for _, b := range s.After.Balances {
		if b.Token == "USDC" {
			equal(t, "USDC afterwards", b.Total, "50000")
		}
		if b.Token == "UBTC" {
			equal(t, "UBTC afterwards", b.Total, "0.1")
		}
	}
	if len(s.Events) == 0 {
		t.Error("a simulation that lends tells of nothing")
	}
	var answers []struct {
		Error *struct{ Code string }
	}
	d.do(http.MethodPost, "/v1/commands", []command{order("5", "1")}, &answers)
	if answers[0].Error == nil || answers[0].Error.Code != codes[0] {
		t.Errorf("the real order: %+v", answers[0].Error)
	}
}

// TestSimulationsThatAreNone lists bad bodies: status, code and field.
func TestSimulationsThatAreNone(t *testing.T) {
	t.Parallel()
	d := carryDesk(t, 1)
	many := `{"commands":[` + strings.Repeat(`{"type":"cancel_all","account":"carry"},`, 64) + `{"type":"cancel_all","account":"carry"}]}`
	for _, x := range []struct {
		path, body  string
		status      int
		code, field string
	}{
		{"carry", `{}`, 400, "empty_batch", ""},
		{"carry", `{"commands":[],"prices":{}}`, 400, "empty_batch", ""},
		{"carry", `[]`, 400, "malformed", ""},
		{"carry", `{"commands":[]} x`, 400, "malformed", ""},
		{"carry", `{"commands":{}}`, 400, "wrong_type", "commands"},
		{"carry", `{"orders":[]}`, 400, "unknown_field", "orders"},
		{"carry", `{"commands":[],"commands":[]}`, 400, "duplicate_field", "commands"},
		{"carry", `{"commands":[{"type":"deposit","account":"carry","token":"USDC"}]}`, 400, "missing_field", "commands[0].amount"},
		{"carry", `{"commands":[{"type":"deposit","account":"lender","token":"USDC","amount":"1"}]}`, 400, "invalid_value", "commands[0].account"},
		{"carry", `{"commands":[{"type":"transfer","from":"lender","to":"carry","token":"USDC","amount":"1"}]}`, 400, "invalid_value", "commands[0].from"},
		{"carry", `{"commands":[{"type":"open_account","account":"new","mode":"unified"}]}`, 400, "invalid_value", "commands[0].type"},
		{"carry", `{"commands":[{"type":"halt","all":true}]}`, 400, "invalid_value", "commands[0].type"},
		{"carry", `{"prices":{"marks":{"BTC":"1e3"}}}`, 400, "invalid_number", "prices.marks.BTC"},
		{"carry", `{"prices":{"spotz":{}}}`, 400, "unknown_field", "prices.spotz"},
		{"carry", many, 400, "limit_exceeded", "commands"},
		{"nobody", `{"prices":{"marks":{"BTC":"1"}}}`, 404, "unknown_account", "account"},
	} {
		request, _ := http.NewRequest(http.MethodPost, "http://plimsoll/v1/accounts/"+x.path+"/simulate", strings.NewReader(x.body))
		request.Header.Set("Content-Type", "application/json")
		response, err := d.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var reply struct{ Error struct{ Code, Field string } }
		if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != x.status || reply.Error.Code != x.code || reply.Error.Field != x.field {
			t.Errorf("%s: %d %+v, want %d %s at %q", x.body[:min(len(x.body), 90)], response.StatusCode, reply.Error, x.status, x.code, x.field)
		}
	}
	var reply json.RawMessage
	if status := d.do(http.MethodGet, "/v1/accounts/carry/simulate", nil, &reply); status != http.StatusMethodNotAllowed {
		t.Errorf("GET simulate: %d", status)
	}
	if status := d.do(http.MethodGet, "/v1/accounts/new", nil, &reply); status != http.StatusNotFound {
		t.Errorf("a simulated opening gave the name away: %d", status)
	}
}
