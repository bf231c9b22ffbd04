package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/client"
)

// soakVenue feeds the prices, and has traders and borrowers.
type soakVenue struct {
	s       *soak
	client  *client.Client
	prices  client.Prices // at the start
	perps   []string
	funding map[string]string
}

const (
	soakTraders   = 6
	soakBorrowers = 6
)

func newSoakVenue(t *testing.T, s *soak) *soakVenue {
	t.Helper()
	v := &soakVenue{
		s: s, client: s.client(t, "venue"), funding: map[string]string{},
		prices: client.Prices{Marks: map[string]string{}, Oracles: map[string]string{}, Spots: map[string]string{}},
	}
	var perps struct {
		Perps []struct {
			Perp   string `json:"perp"`
			Mark   string `json:"mark_price"`
			Oracle string `json:"oracle_price"`
		} `json:"perps"`
	}
	var spots struct {
		Spots []struct {
			Spot  string `json:"spot"`
			Price string `json:"price"`
		} `json:"spots"`
	}
	if err := errors.Join(v.client.Get(t.Context(), "/v1/perps", &perps), v.client.Get(t.Context(), "/v1/spots", &spots)); err != nil {
		t.Fatal(err)
	}
	for _, p := range perps.Perps {
		if p.Perp != "BTC" { // the desks' own
			v.perps = append(v.perps, p.Perp)
			v.prices.Marks[p.Perp], v.prices.Oracles[p.Perp] = p.Mark, p.Oracle
		}
	}
	for _, p := range spots.Spots {
		v.prices.Spots[p.Spot] = p.Price
	}
	v.open(t)
	return v
}

// open opens the accounts.
func (v *soakVenue) open(t *testing.T) {
	t.Helper()
	commands := []client.Command{
		client.OpenAccount{Account: "lender", Mode: "portfolio"},
		client.Deposit{Account: "lender", Token: "USDC", Amount: "5000000"},
	}
	for i, mode := range []string{"standard", "unified", "portfolio", "standard", "unified", "portfolio"} {
		commands = append(commands, client.OpenAccount{Account: trader(i), Mode: mode},
			client.Deposit{Account: trader(i), Token: "USDC", Amount: "1000000"})
	}
	for i := range soakBorrowers {
		commands = append(commands, client.OpenAccount{Account: borrower(i), Mode: "portfolio"},
			client.Deposit{Account: borrower(i), Token: "HYPE", Amount: "1000"})
	}
	results, err := v.client.DoAll(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if results[i].Err != nil {
			t.Fatalf("%s: %v", commands[i].Type(), results[i].Err)
		}
	}
}

func trader(i int) string   { return fmt.Sprint("trader", i%soakTraders) }
func borrower(i int) string { return fmt.Sprint("borrower", i%soakBorrowers) }

func (v *soakVenue) start() {
	v.s.every("tick", 150*time.Millisecond, func(n int) error { return v.do(v.tick(n)) })
	v.s.every("funding", 700*time.Millisecond, func(n int) error {
		for i, perp := range v.perps {
			v.funding[perp] = fmt.Sprintf("0.%07d", 1+(n+i)%250)
		}
		return v.do(client.Funding{Rates: v.funding})
	})
	v.s.every("clock", time.Second, func(int) error { // somewhat before the machine's, so that both move it
		return v.do(client.Clock{Meta: client.Meta{Time: time.Now().Add(500 * time.Millisecond).UnixMilli()}})
	})
	v.s.every("borrower", 50*time.Millisecond, func(n int) error { return v.do(v.lending(n)) })
	v.s.every("trader", 30*time.Millisecond, v.trade)
}

// do wants a command accepted.
func (v *soakVenue) do(command client.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	if _, err := v.client.Do(ctx, command); err != nil {
		return fmt.Errorf("%s: %w", command.Type(), err)
	}
	return nil
}

// tick moves all prices within half a percent, and HYPE, which the loans stand on, by up to a
// fifth down and up again.
func (v *soakVenue) tick(n int) client.Prices {
	p := client.Prices{Marks: map[string]string{}, Oracles: map[string]string{}, Spots: map[string]string{}}
	i := 0
	move := func(to, from map[string]string) {
		for name, price := range from {
			i++
			if step := int64((n + i) % 11); name == "HYPE" || strings.HasPrefix(name, "HYPE/") {
				to[name] = movedPrice(price, -swing(n))
			} else {
				to[name] = movedPrice(price, step-5)
			}
		}
	}
	move(p.Marks, v.prices.Marks)
	move(p.Oracles, v.prices.Oracles)
	move(p.Spots, v.prices.Spots)
	return p
}

// swing goes from 0 to 200 thousandths and back.
func swing(n int) int64 {
	const period, most = 80, 200
	return int64(most * min(n%period, period-n%period) / (period / 2))
}

// movedPrice moves a price by so many thousandths, at its own decimals.
func movedPrice(price string, thousandths int64) string {
	whole, fraction, _ := strings.Cut(price, ".")
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return price
	}
	n.Mul(n, big.NewInt(1000+thousandths)).Quo(n, big.NewInt(1000))
	if n.Sign() == 0 {
		return price
	}
	text := n.String()
	for len(text) <= len(fraction) {
		text = "0" + text
	}
	return text[:len(text)-len(fraction)] + "." + text[len(text)-len(fraction):]
}

// lending has each borrower take a loan, add to it, and pay a part back.
func (v *soakVenue) lending(n int) client.Command {
	account := borrower(n)
	switch round := n / soakBorrowers; {
	case round == 0:
		return client.Borrow{Account: account, Token: "USDC", Amount: "16000"}
	case round%2 == 1:
		return client.Repay{Account: account, Token: "USDC", Amount: "1000.5"}
	default:
		return client.Borrow{Account: account, Token: "USDC", Amount: "1000.5"}
	}
}

// trade is one step in the life of two traders; it ends where it began.
func (v *soakVenue) trade(n int) error {
	const steps = 9
	round, price := n/steps, "1900"
	a, b := trader(round), trader(round+1+round/soakTraders%(soakTraders-1))
	rest, stop := strconv.Itoa(1+2*round), strconv.Itoa(2+2*round)
	switch n % steps {
	case 0:
		return v.do(client.Order{Account: a, Market: "ETH", Side: "buy", Size: "0.5", Price: price, OrderID: rest})
	case 1:
		return v.do(client.Modify{Account: a, OrderID: rest, Size: "0.4"})
	case 2:
		return v.do(client.Trade{
			Market: "ETH", Size: "0.4", Price: price, Buyer: client.TradeSide{Account: a, OrderID: rest, Fee: "0.3"},
			Seller: client.TradeSide{Account: b, Fee: "0.1"},
		})
	case 3:
		return v.do(client.Order{
			Account: a, Market: "ETH", Side: "sell", Size: "0.2", Price: "1500", OrderID: stop, ReduceOnly: true,
			Trigger: &client.Trigger{Price: "1510", TPSL: "sl"},
		})
	case 4:
		return v.do(client.Cancel{Account: a, OrderID: stop})
	case 5:
		return v.do(client.Trade{
			Market: "ETH", Size: "0.4", Price: price, Buyer: client.TradeSide{Account: b}, Seller: client.TradeSide{Account: a, Fee: "0.2"},
		})
	case 6:
		return v.do(client.SetLeverage{Account: a, Perp: "SOL", Leverage: 1 + round%20, Margin: "cross"})
	case 7:
		return v.do(client.Deposit{Account: a, Token: "USDC", Amount: "12.5"})
	default:
		return v.do(client.Withdraw{Account: a, Token: "USDC", Amount: "12.4"})
	}
}

// startReaders reads everything that can be read.
func (s *soak) startReaders() {
	light := []string{
		"/v1/accounts/trader0", "/v1/accounts/borrower1/margin", "/v1/accounts/trader2/explain", "/v1/accounts/borrower0/explain",
		"/v1/accounts/trader5/liquidation_prices", "/v1/pools", "/v1/pools/USDC", "/v1/status", "/healthz", "/readyz",
		`/info {"type":"clearinghouseState","user":"trader0"}`, `/info {"type":"spotClearinghouseState","user":"borrower1"}`,
		`/info {"type":"allMids"}`, `/info {"type":"openOrders","user":"trader1"}`, `/info {"type":"borrowLendUserState","user":"borrower2"}`,
		`/v1/accounts/trader2/simulate {"commands":[{"type":"order","account":"trader2","market":"ETH","side":"buy","size":"1",` +
			`"price":"1900","order_id":"0xffffffffffffffffffffffffffffffff"}],"prices":{"marks":{"ETH":"1700"},"oracles":{"ETH":"1700"}}}`,
	}
	heavy := []string{
		"/v1/totals", "/v1/accounts?order=risk&limit=50", "/metrics", "/v1/perps", "/v1/tokens", "/v1/whatif?move=-0.1", "/openapi.json",
		`/info {"type":"metaAndAssetCtxs"}`, "/v1/totals", "/",
	}
	c := s.http()
	s.every("read", 15*time.Millisecond, func(n int) error { return s.read(c, light[n%len(light)]) })
	s.every("heavy read", 200*time.Millisecond, func(n int) error { return s.read(c, heavy[n%len(heavy)]) })
}

// read wants 200, and of /v1/totals that the ledger adds up at that moment.
func (s *soak) read(c *http.Client, route string) error {
	path, body, isPost := strings.Cut(route, " ")
	var reply *http.Response
	var err error
	if isPost {
		reply, err = c.Post(s.d.url+path, "application/json", strings.NewReader(body)) //nolint:noctx // the client has a time-out
	} else {
		reply, err = c.Get(s.d.url + path) //nolint:noctx // as above
	}
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK || len(text) == 0 {
		return fmt.Errorf("%s answers %d %.200s (%w)", route, reply.StatusCode, text, err)
	}
	var totals struct {
		Holds bool `json:"solvency_identity_holds"`
	}
	if path == "/v1/totals" && (json.Unmarshal(text, &totals) != nil || !totals.Holds) {
		return fmt.Errorf("the ledger does not add up: %s", text)
	}
	return nil
}
