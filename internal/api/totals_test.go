package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// totalsReply is GET /v1/totals as a client reads it.
type totalsReply struct {
	Seq, Accounts, Positions uint64
	Equity, Notional         string
	NetBalance               string            `json:"net_balance"`
	Initial                  string            `json:"initial_requirement"`
	Maintenance              string            `json:"maintenance_margin"`
	Negative                 uint64            `json:"negative_equity"`
	IsSolvent                bool              `json:"solvency_identity_holds"`
	Health                   map[string]uint64 `json:"health"`
	Lending                  map[string]uint64 `json:"lending_health"`
	Distance                 struct {
		Beyond        exposureReply
		NoRequirement exposureReply `json:"no_requirement"`
		Steps         []exposureReply
	}
	Tokens []struct {
		Token, Supplied, Borrowed, External, Held, Difference string
		AccountsSupplied                                      string `json:"accounts_supplied"`
		AccountsBorrowed                                      string `json:"accounts_borrowed"`
		Holds                                                 bool   `json:"identity_holds"`
	}
	Markets []marketReply
}

type marketReply struct {
	Market  string
	Long    string `json:"open_interest_long"`
	Short   string `json:"open_interest_short"`
	Holders uint64
	Largest []struct{ Account, Size, Notional string }
}

type exposureReply struct {
	From, Notional string
	Accounts       uint64
}

func TestTotalsAreThoseOfAllAccounts(t *testing.T) {
	var first string
	for _, shards := range []int{1, 3} {
		h := newHouse(t, shards)
		h.furnish()
		reply := h.get("/v1/totals")
		if first == "" {
			first = reply
		} else if reply != first {
			t.Errorf("%d shards\n got %s\nwant %s", shards, reply, first)
		}
		var got totalsReply
		if err := json.Unmarshal([]byte(reply), &got); err != nil {
			t.Fatal(err)
		}
		checkTotalsReply(t, &got)
		nearest := h.get("/v1/accounts?order=risk&limit=1")
		if strings.Count(nearest, `"account"`) != 1 || !strings.HasPrefix(h.get("/v1/accounts"), nearest[:len(nearest)-2]) {
			t.Errorf("%d shards: the nearest is not the first of the nearest: %s", shards, nearest)
		}
		for _, query := range []string{"limit=0", "limit=1001", "limit=x", "order=name"} {
			if status, body, _ := h.do("GET", "/v1/accounts?"+query, "", ""); status != 400 {
				t.Errorf("%s: %d %s", query, status, body)
			}
		}
	}
}

// checkTotalsReply holds totals against what furnish did.
func checkTotalsReply(t *testing.T, got *totalsReply) {
	t.Helper()
	sum, exposed := uint64(0), got.Distance.Beyond.Accounts+got.Distance.NoRequirement.Accounts
	for _, n := range got.Health {
		sum += n
	}
	for _, step := range got.Distance.Steps {
		exposed += step.Accounts
	}
	if got.Accounts != 3 || got.Positions != 3 || sum != 3 || exposed != 3 || got.Lending["healthy"] != 3 || got.Negative != 0 {
		t.Errorf("counts are off: %+v", got)
	}
	if !got.IsSolvent || len(got.Tokens) == 0 {
		t.Errorf("not solvent: %+v", got.Tokens)
	}
	for _, x := range got.Tokens {
		if !x.Holds || strings.Trim(x.Difference, "0.") != "" || x.External != x.Held || x.AccountsSupplied != x.Supplied ||
			x.AccountsBorrowed != x.Borrowed {
			t.Errorf("token is off: %+v", x)
		}
	}
	i := slices.IndexFunc(got.Markets, func(m marketReply) bool { return m.Market == "BTC" })
	if i < 0 {
		t.Fatalf("no BTC in %+v", got.Markets)
	}
	btc := got.Markets[i]
	if btc.Holders != 2 || btc.Long != "1.5" || btc.Short != "0.5" || len(btc.Largest) != 2 ||
		btc.Largest[0].Account != alice || btc.Largest[1].Account != bobby || btc.Largest[1].Size != "-0.5" {
		t.Errorf("BTC is off: %+v", btc)
	}
}
