package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/client"
	"plimsoll/internal/api"
	"plimsoll/internal/engine"
)

// life is a client of a daemon in process: the real engine and the real HTTP server, over
// connections that can be cut.
type life struct {
	t *testing.T
	*client.Client
	mu    sync.Mutex
	conns []net.Conn
}

func newLife(t *testing.T) *life {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = 2, 1<<10, engine.ClockCommands
	cfg.EventHistory = 1 << 12
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := api.NewServer(&api.Config{
		Engine: e, Directory: api.NewDirectory(cfg.AccountsMax), Shards: cfg.Shards, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	go func() { _ = server.Serve(listen) }()
	l := &life{t: t}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, conn)
		return conn, err
	}
	l.Client, err = client.New("http://"+listen.Addr().String(), client.Options{
		Name: "desk-1", PauseMin: time.Millisecond, HTTP: &http.Client{Transport: &http.Transport{DialContext: dial}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		e.Close()
	})
	return l
}

// cut breaks every connection.
func (l *life) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

// do wants commands accepted and returns the last result.
func (l *life) do(commands ...client.Command) (r client.Result) {
	l.t.Helper()
	for _, command := range commands {
		var err error
		if r, err = l.Do(l.t.Context(), command); err != nil || !r.OK {
			l.t.Fatalf("%s %+v: %+v, %v", command.Type(), command, r, err)
		}
	}
	return r
}

// refused wants a command refused with a code.
func (l *life) refused(code string, command client.Command) {
	l.t.Helper()
	r, err := l.Do(l.t.Context(), command)
	var refusal *client.Error
	if !errors.As(err, &refusal) || !refusal.IsRefusal() || refusal.Code != code || r.OK || refusal.Seq == 0 {
		l.t.Errorf("%s %+v: %+v %v, want %s", command.Type(), command, r, err, code)
	}
}

func (l *life) account(name string) client.Account {
	l.t.Helper()
	a, err := l.Account(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

// opens lists a market and opens three accounts.
func (l *life) opens() {
	l.t.Helper()
	raw := func(kind string, fields map[string]any) client.Raw { return client.Raw{Kind: kind, Fields: fields} }
	l.do(
		client.Clock{Meta: client.Meta{Time: 1790091087693}},
		raw("list_token", map[string]any{
			"token": "USDC", "index": 0, "wei_decimals": 8, "ltv": "0", "borrowable": true, "supply_cap": "1000000000",
			"borrow_cap": "500000000", "user_supply_cap": "250000000", "user_borrow_cap": "50000000",
			"rate": map[string]any{"base": "0.05", "slope": "4.75", "kink": "0.8", "reserve_factor": "0.1"},
		}),
		raw("list_dex", map[string]any{"dex": "", "index": 0, "collateral_token": "USDC"}),
		raw("list_perp", map[string]any{
			"perp": "BTC", "index": 0, "dex": "", "sz_decimals": 5, "collateral_token": "USDC", "margin_mode": "normal",
			"funding_cap": "0.04", "tiers": []any{map[string]any{"lower_bound": "0", "max_leverage": 40}},
		}),
		client.Prices{Marks: map[string]string{"BTC": "60000"}, Oracles: map[string]string{"BTC": "60000"}},
		client.OpenAccount{Account: "alice", Mode: "unified"},
		client.OpenAccount{Account: "bob", Mode: "standard"},
	)
	if r := l.do(client.OpenAccount{Account: "carol", Mode: "portfolio"}); r.Index != l.account("carol").Index {
		l.t.Errorf("carol is opened as %d", r.Index)
	}
	l.do(client.Deposit{Account: "alice", Token: "USDC", Amount: "50000"},
		client.Deposit{Account: "bob", Token: "USDC", Amount: "3200"},
		client.Deposit{Account: "carol", Token: "USDC", Amount: "1000000"})
}

// TestTheLifeOfOrders: orders are placed, changed, triggered, filled, cancelled and refused, and
// each read shows what came of it.
func TestTheLifeOfOrders(t *testing.T) {
	l := newLife(t)
	l.opens()
	buy := client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.5", Price: "59000", OrderID: "1"}
	if r := l.do(buy); r.Required == "" || r.Available == "" || r.Rule == "" {
		t.Errorf("the answer to an order is %+v", r)
	}
	l.refused("duplicate_order_id", buy)
	large := buy
	large.Size, large.OrderID = "500", "2"
	l.refused("insufficient_margin", large)
	if a := l.account("alice"); len(a.Orders) != 1 || a.Orders[0].Size != "0.5" || a.Orders[0].Price != "59000.0" || a.Mode != "unified" {
		t.Errorf("orders %+v", a.Orders)
	}
	held := l.account("alice").Balances[0].Hold

	l.do(client.Modify{Account: "alice", OrderID: "1", Size: "0.25", Price: "59500"})
	if a := l.account("alice"); a.Orders[0].Size != "0.25" || a.Orders[0].Price != "59500.0" || a.Balances[0].Hold == held {
		t.Errorf("after the change: %+v, held %s of %s", a.Orders, a.Balances[0].Hold, held)
	}
	l.refused("unknown_order", client.Modify{Account: "alice", OrderID: "9", Size: "1"})

	l.do(client.Order{
		Account: "alice", Market: "BTC", Side: "sell", Size: "0.1", Price: "57000", OrderID: "3",
		Trigger: &client.Trigger{Price: "58000", IsMarket: false, TPSL: "sl"},
	})
	if stop := l.account("alice").Orders[1]; stop.Trigger == nil || stop.Trigger.Price != "58000.0" || stop.Trigger.TPSL != "sl" {
		t.Errorf("the stop is %+v", stop)
	}
	l.do(client.TriggerOrder{Account: "alice", OrderID: "3"})
	if stop := l.account("alice").Orders[1]; stop.Trigger != nil {
		t.Errorf("the stop that came is %+v", stop)
	}

	l.do(client.Trade{
		Market: "BTC", Size: "0.15", Price: "59500",
		Buyer: client.TradeSide{Account: "alice", OrderID: "1", Fee: "1.5"}, Seller: client.TradeSide{Account: "bob"},
	})
	a := l.account("alice")
	if len(a.Orders) != 2 || a.Orders[0].Size != "0.1" || a.Orders[0].OrigSize != "0.25" || len(a.Positions) != 1 ||
		a.Positions[0].Size != "0.15" || a.Positions[0].EntryPrice != "59500.0" {
		t.Errorf("after the trade: %+v %+v", a.Orders, a.Positions)
	}
	if b := l.account("bob"); len(b.Positions) != 1 || b.Positions[0].Size != "-0.15" {
		t.Errorf("the other side: %+v", b.Positions)
	}
	if r := l.do(client.Fill{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "59500", OrderID: "1"}); r.UnknownOrder {
		t.Errorf("the fill: %+v", r)
	}
	l.refused("unknown_order", client.Cancel{Account: "alice", OrderID: "1"}) // it was filled whole
	l.do(client.Cancel{Account: "alice", OrderID: "3"})
	if a := l.account("alice"); len(a.Orders) != 0 || a.Positions[0].Size != "0.25" {
		t.Errorf("at the end: %+v %+v", a.Orders, a.Positions)
	}
	if r := l.do(client.Fill{Account: "alice", Market: "BTC", Side: "sell", Size: "0.01", Price: "60000", OrderID: "1"}); !r.UnknownOrder {
		t.Errorf("a fill of an order that is gone: %+v", r)
	}
}

// TestCommandsBesideOrders: batches, repeats, halts, leverage, isolated margin, lending, money in
// and out, and a simulation that changes nothing.
func TestCommandsBesideOrders(t *testing.T) {
	l := newLife(t)
	l.opens()
	results, err := l.DoAll(t.Context(), []client.Command{
		client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "59000", OrderID: "1"},
		client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "59000", OrderID: "1"},
		client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "58000", OrderID: "2"},
	})
	if err != nil || !results[0].OK || results[1].Err == nil || results[1].Err.Code != "duplicate_order_id" || !results[2].OK ||
		results[2].Seq != results[0].Seq+2 {
		t.Errorf("a batch: %+v %v", results, err)
	}
	once := client.Deposit{Meta: client.Meta{ID: "77"}, Account: "bob", Token: "USDC", Amount: "1"}
	first, again := l.do(once), l.do(once)
	if first.Duplicate || !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("once %+v, again %+v", first, again)
	}

	l.do(client.Halt{Account: "alice"})
	l.refused("account_halted", client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "59000", OrderID: "4"})
	l.do(client.Resume{Account: "alice"}, client.CancelAll{Account: "alice", Market: "BTC"})
	l.do(client.SetLeverage{Account: "alice", Perp: "BTC", Leverage: 10, Margin: "isolated"},
		client.Fill{Account: "alice", Market: "BTC", Side: "buy", Size: "1", Price: "60000"},
		client.IsolatedMargin{Account: "alice", Perp: "BTC", Amount: "500.5"})
	if p := l.account("alice").Positions[0]; p.Margin != "isolated" || p.Leverage != 10 || p.MarginUsed != "6500.5" {
		t.Errorf("isolated: %+v", p)
	}

	l.do(client.Transfer{From: "bob", To: "bob", Token: "USDC", Amount: "100", FromWallet: "perp", ToWallet: "spot"},
		client.Supply{Account: "bob", Token: "USDC", Amount: "60"}, client.Unsupply{Account: "bob", Token: "USDC", Amount: "20"},
		client.Withdraw{Account: "bob", Token: "USDC", Amount: "1"})
	var pool struct {
		TotalSupplied string `json:"total_supplied"`
	}
	if err := l.Get(t.Context(), "/v1/pools/USDC", &pool); err != nil || pool.TotalSupplied != "1000040.0" {
		t.Errorf("the pool holds %s: %v", pool.TotalSupplied, err)
	}

	var trial struct {
		Before, After struct{ Margin client.Margin }
	}
	err = l.Simulate(t.Context(), "alice", []client.Command{
		client.Order{Account: "alice", Market: "BTC", Side: "buy", Size: "0.1", Price: "59000", OrderID: "5"},
	}, &client.Prices{Marks: map[string]string{"BTC": "59000"}}, &trial)
	if err != nil || trial.Before.Margin.Equity == trial.After.Margin.Equity || len(l.account("alice").Orders) != 0 {
		t.Errorf("simulated: %+v %v", trial, err)
	}
	var mids map[string]string
	if err := l.Info(t.Context(), map[string]any{"type": "allMids"}, &mids); err != nil || mids["BTC"] != "60000.0" {
		t.Errorf("mids %v: %v", mids, err)
	}
	var answer *client.Error
	if err := l.Info(t.Context(), map[string]any{"type": "nothing"}, &mids); !errors.As(err, &answer) || answer.Code != "unknown_type" {
		t.Errorf("an unknown type: %v", err)
	}
	totals, err := l.Totals(t.Context())
	if err != nil || totals.Accounts != 3 || !totals.Solvent {
		t.Errorf("totals %+v: %v", totals, err)
	}
	status, err := l.Status(t.Context())
	if err != nil || len(status.Applied) != 2 || status.Accounts != 3 || len(status.StateHash) != 32 {
		t.Errorf("status %+v: %v", status, err)
	}
}

// TestEventsOfALifeOverCutConnections: while connections are cut, a follower gets every event
// once and in order, up to the liquidation and the fill that ends it.
func TestEventsOfALifeOverCutConnections(t *testing.T) {
	l := newLife(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	followed := make(chan client.Event, 1<<10)
	go func() {
		defer close(followed)
		for e, err := range l.Events(ctx, client.After(0), client.Filter{}) {
			if err != nil {
				t.Error(err)
				return
			}
			if followed <- e; e.Type == "halted" && e.All {
				return
			}
		}
	}()
	var got []client.Event
	await := func(kind, account string) client.Event {
		t.Helper()
		for e := range followed {
			if got = append(got, e); e.Type == kind && e.Account == account {
				return e
			}
		}
		t.Fatalf("no %s of %q in %d events", kind, account, len(got))
		return client.Event{}
	}

	l.opens()
	await("supplied", "carol")
	l.cut()
	l.do(client.Fill{Account: "bob", Market: "BTC", Side: "buy", Size: "1", Price: "60000"},
		client.Fill{Account: "carol", Market: "BTC", Side: "sell", Size: "1", Price: "60000"})
	await("health_changed", "carol")
	l.cut()
	l.do(client.Prices{Marks: map[string]string{"BTC": "57400"}})
	asked := await("liquidation_order", "bob")
	if asked.Side != "sell" || asked.Size != "1.0" || asked.Market != "BTC" || asked.Liquidation == "" {
		t.Errorf("asked for: %+v", asked)
	}
	if a := l.account("bob"); a.Liquidation == nil || a.Liquidation.Number != asked.Liquidation {
		t.Errorf("under way: %+v", a.Liquidation)
	}
	l.refused("account_in_liquidation", client.Order{Account: "bob", Market: "BTC", Side: "buy", Size: "0.1", Price: "50000", OrderID: "1"})
	l.cut()
	r := l.do(client.Fill{
		Account: "bob", Market: "BTC", Side: asked.Side, Size: asked.Size, Price: "57390",
		Liquidation: &client.Liquidation{ID: asked.Liquidation, Method: "market"},
	})
	if r.UnknownLiquidation {
		t.Errorf("the fill: %+v", r)
	}
	await("liquidation_ended", "bob")
	l.cut()
	l.do(client.Halt{All: true})
	await("halted", "")

	var once []string // what one connection tells from the start
	for e, err := range l.Events(ctx, client.After(0), client.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if once = append(once, string(e.Raw)); e.Type == "halted" {
			break
		}
	}
	lines := make([]string, len(got))
	for i := range got {
		lines[i] = string(got[i].Raw)
	}
	if !slices.Equal(lines, once) {
		t.Errorf("followed over cuts\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(once, "\n"))
	}
	var own []string
	for e, err := range l.Events(ctx, client.After(0), client.Filter{Account: "bob", Types: []string{"liquidation_ended"}}) {
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, e.Type+" "+e.Account)
		break
	}
	if !slices.Equal(own, []string{"liquidation_ended bob"}) {
		t.Errorf("filtered: %v", own)
	}
}
