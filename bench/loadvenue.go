package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"

	"plimsoll/client"
)

// setupBatch is how many commands one request of the setup carries.
const setupBatch = 256

// loadVenue is what the load is about: perps and accounts of its own on a daemon, made through
// its public interface.
type loadVenue struct {
	load    *Load
	run     uint64 // drawn anew: names and ids do not meet those of other runs
	http    *http.Client
	client  *client.Client
	token   string // the collateral
	markets []loadMarket
	names   [][]byte // of accounts
	slots   []uint32 // of accounts
	version string   // of the daemon
}

// loadMarket is a perp of ours. Prices are whole numbers at 6 - sz decimals.
type loadMarket struct {
	name  string
	slot  uint32
	sz    uint8
	price int64
	size  int64 // at sz decimals, worth about 500 dollars
}

// loadMarketAt returns market i: five sizes of price, as on a real venue.
func loadMarketAt(prefix string, i int) loadMarket {
	prices := [...]int64{600_005, 250_055, 401_230, 312_340, 123_450}
	decimals := [...]uint8{5, 4, 2, 1, 0}
	const worth = 500_000_000 // millionths of a dollar
	m := loadMarket{
		name: fmt.Sprintf("%s-M%03d", prefix, i), sz: decimals[i%len(decimals)],
		price: prices[i%len(prices)] * int64(loadMarketsMax+i) / loadMarketsMax,
	}
	m.size = max(1, worth/m.price)
	return m
}

func (m *loadMarket) priceText(price int64) string { return pointed(price, 6-m.sz) }

// pointed prints a mantissa with so many decimals.
func pointed(v int64, decimals uint8) string {
	if decimals == 0 {
		return strconv.FormatInt(v, 10)
	}
	text := fmt.Sprintf("%0*d", int(decimals)+1, v)
	at := len(text) - int(decimals)
	return text[:at] + "." + text[at:]
}

// newLoadVenue makes the markets and the accounts.
func newLoadVenue(ctx context.Context, l *Load) (*loadVenue, error) {
	v := &loadVenue{load: l, run: rand.Uint64()}
	transport := &http.Transport{TLSClientConfig: l.TLS, MaxIdleConnsPerHost: 2}
	v.http = &http.Client{Transport: transport}
	defer v.http.CloseIdleConnections()
	var err error
	v.client, err = client.New(l.URL, client.Options{Name: l.Prefix, Token: l.Token, HTTP: v.http})
	if err != nil {
		return nil, err
	}
	status, err := v.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	v.version = status.Version
	for _, step := range []func(context.Context) error{v.listToken, v.listMarkets, v.openAccounts, v.openPositions} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// listToken finds the collateral, or lists USDC where there is nothing.
func (v *loadVenue) listToken(ctx context.Context) error {
	var reply struct {
		Tokens []struct {
			Token string `json:"token"`
			Index uint32 `json:"index"`
		} `json:"tokens"`
	}
	if err := v.get(ctx, "/v1/tokens", &reply); err != nil {
		return err
	}
	for _, t := range reply.Tokens {
		if t.Index == 0 {
			v.token = t.Token
			return nil
		}
	}
	v.token = "USDC"
	_, err := v.client.Do(ctx, client.Raw{Kind: "list_token", Fields: map[string]any{
		"token": v.token, "index": 0, "wei_decimals": 8, "ltv": "0", "borrowable": true, "supply_cap": "1000000000000",
		"borrow_cap": "1000000000000", "user_supply_cap": "1000000000", "user_borrow_cap": "1000000000",
		"rate": map[string]string{"base": "0.05", "slope": "4.75", "kink": "0.8", "reserve_factor": "0.1"},
	}})
	return err
}

// listMarkets lists the perps that an earlier run has not, and gives all a price.
func (v *loadVenue) listMarkets(ctx context.Context) error {
	slots, err := v.perps(ctx)
	if err != nil {
		return err
	}
	const indexFirst = 50_000 // far from those of a venue
	var listings []client.Command
	prices := map[string]string{}
	for i := range v.load.Markets {
		m := loadMarketAt(v.load.Prefix, i)
		v.markets = append(v.markets, m)
		prices[m.name] = m.priceText(m.price)
		if _, isListed := slots[m.name]; !isListed {
			listings = append(listings, client.Raw{Kind: "list_perp", Fields: map[string]any{
				"perp": m.name, "index": indexFirst + i, "dex": "", "sz_decimals": m.sz, "collateral_token": v.token,
				"tiers": []map[string]any{
					{"lower_bound": "0", "max_leverage": 40}, {"lower_bound": "20000000", "max_leverage": 20},
				},
				"margin_mode": "normal",
			}})
		}
	}
	if err := v.do(ctx, append(listings, client.Prices{Marks: prices, Oracles: prices}), nil); err != nil {
		return err
	}
	if slots, err = v.perps(ctx); err != nil {
		return err
	}
	for i := range v.markets {
		v.markets[i].slot = slots[v.markets[i].name]
	}
	return nil
}

// perps returns the slot of every perp.
func (v *loadVenue) perps(ctx context.Context) (map[string]uint32, error) {
	var reply struct {
		Perps []struct {
			Perp string `json:"perp"`
			Slot uint32 `json:"slot"`
		} `json:"perps"`
	}
	err := v.get(ctx, "/v1/perps", &reply)
	slots := map[string]uint32{}
	for _, p := range reply.Perps {
		slots[p.Perp] = p.Slot
	}
	return slots, err
}

// openAccounts opens the accounts and pays in what no order of the load ever uses up.
func (v *loadVenue) openAccounts(ctx context.Context) error {
	const amount = "1000000"
	wallet := ""
	if v.load.Mode == "standard" {
		wallet = "perp"
	}
	var commands []client.Command
	for i := range v.load.Accounts {
		name := fmt.Sprintf("%s-%08x-%08d", v.load.Prefix, uint32(v.run>>32), i)
		v.names = append(v.names, []byte(name))
		commands = append(commands,
			client.OpenAccount{Account: name, Mode: v.load.Mode},
			client.Deposit{Account: name, Token: v.token, Amount: amount, Wallet: wallet})
	}
	return v.do(ctx, commands, func(i int, r *client.Result) {
		if i%2 == 0 {
			v.slots = append(v.slots, r.Index)
		}
	})
}

// openPositions opens positions of 500 dollars, long and short in turn, in different markets.
func (v *loadVenue) openPositions(ctx context.Context) error {
	var commands []client.Command
	for i := range v.load.Accounts {
		for k := range v.load.Positions {
			m := &v.markets[(i+k)%len(v.markets)]
			side := "buy"
			if (i+k)%2 == 1 {
				side = "sell"
			}
			commands = append(commands, client.Fill{
				Account: string(v.names[i]), Market: m.name, Side: side, Size: pointed(m.size, m.sz), Price: m.priceText(m.price),
			})
		}
	}
	return v.do(ctx, commands, nil)
}

// do applies commands in batches and hands on each result; the first refusal ends it.
func (v *loadVenue) do(ctx context.Context, commands []client.Command, took func(i int, r *client.Result)) error {
	for at := 0; at < len(commands); at += setupBatch {
		if err := ctx.Err(); err != nil {
			return err
		}
		results, err := v.client.DoAll(ctx, commands[at:min(at+setupBatch, len(commands))])
		if err != nil {
			return err
		}
		for i := range results {
			if results[i].Err != nil {
				return fmt.Errorf("setup: %s: %w", commands[at+i].Type(), results[i].Err)
			}
			if took != nil {
				took(at+i, &results[i])
			}
		}
	}
	return nil
}

// cancelAll takes away what rests of this run.
func (v *loadVenue) cancelAll(ctx context.Context) error {
	commands := make([]client.Command, len(v.names))
	for i, name := range v.names {
		commands[i] = client.CancelAll{Account: string(name)}
	}
	return v.do(ctx, commands, nil)
}

// get reads a route.
func (v *loadVenue) get(ctx context.Context, path string, reply any) error {
	text, err := v.text(ctx, path)
	if err == nil {
		err = json.Unmarshal(text, reply)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

func (v *loadVenue) text(ctx context.Context, path string) (body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.load.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	if v.load.Token != "" {
		request.Header.Set("Authorization", "Bearer "+v.load.Token)
	}
	reply, err := v.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reply.Body.Close()) }()
	const most = 64 << 20
	if body, err = io.ReadAll(io.LimitReader(reply.Body, most)); err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", reply.StatusCode, body)
	}
	return body, err
}
