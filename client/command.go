package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Command is one of the structs below, or Raw. Fields that are empty are not sent.
type Command interface {
	Type() string      // as the HTTP contract names it
	CommandID() string // "" = Do draws one
}

// Meta is what any command may carry.
type Meta struct {
	ID   string `json:"id,omitempty"`   // unique within the client: a number, 0x and 32 hex digits, or a UUID
	Time int64  `json:"time,omitempty"` // engine time, ms; 0 = the daemon's
}

// CommandID returns the id.
func (m Meta) CommandID() string { return m.ID }

// The commands of an exchange and its users. Side is "buy" or "sell"; Wallet is "spot", "perp"
// or "perp:DEX"; Amount of a loan may be "all".
type (
	// OpenAccount opens an account; Mode is "standard", "unified" or "portfolio".
	OpenAccount struct {
		Meta
		Account string `json:"account"`
		Mode    string `json:"mode"`
		Master  string `json:"master,omitempty"`
	}
	// SetMode changes the mode of an account that has nothing open.
	SetMode struct {
		Meta
		Account string `json:"account"`
		Mode    string `json:"mode"`
	}
	// Deposit brings tokens in.
	Deposit struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
		Wallet  string `json:"wallet,omitempty"`
	}
	// Withdraw takes tokens out as far as margin allows.
	Withdraw struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
		Wallet  string `json:"wallet,omitempty"`
	}
	// Transfer moves tokens between accounts, or between wallets of one.
	Transfer struct {
		Meta
		From       string `json:"from"`
		To         string `json:"to"`
		Token      string `json:"token"`
		Amount     string `json:"amount"`
		FromWallet string `json:"from_wallet,omitempty"`
		ToWallet   string `json:"to_wallet,omitempty"`
	}
	// Borrow takes a loan.
	Borrow struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
	}
	// Repay pays a loan back.
	Repay struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
	}
	// SetLeverage sets leverage and margin, "cross" or "isolated", of a perp.
	SetLeverage struct {
		Meta
		Account  string `json:"account"`
		Perp     string `json:"perp"`
		Leverage int    `json:"leverage"`
		Margin   string `json:"margin"`
	}
	// Order asks whether an order may rest, and holds what it needs.
	Order struct {
		Meta
		Account    string   `json:"account"`
		Market     string   `json:"market"`
		Side       string   `json:"side"`
		Size       string   `json:"size"`
		Price      string   `json:"price"`
		OrderID    string   `json:"order_id"`
		ReduceOnly bool     `json:"reduce_only,omitempty"`
		Trigger    *Trigger `json:"trigger,omitempty"`
	}
	// Cancel takes a resting order away.
	Cancel struct {
		Meta
		Account string `json:"account"`
		OrderID string `json:"order_id"`
	}
	// CancelAll takes all orders of an account away, or those of one market.
	CancelAll struct {
		Meta
		Account string `json:"account"`
		Market  string `json:"market,omitempty"`
	}
	// Trade is both sides of a match.
	Trade struct {
		Meta
		Market string    `json:"market"`
		Size   string    `json:"size"`
		Price  string    `json:"price"`
		Buyer  TradeSide `json:"buyer"`
		Seller TradeSide `json:"seller"`
	}
	// Fill is one side of a trade that has happened: it is always applied.
	Fill struct {
		Meta
		Account string `json:"account"`
		Market  string `json:"market"`
		Side    string `json:"side"`
		Size    string `json:"size"`
		Price   string `json:"price"`
		Fee     string `json:"fee,omitempty"`
		OrderID string `json:"order_id,omitempty"`

		Liquidation *Liquidation `json:"liquidation,omitempty"` // that asked for it
	}
	// Prices is one tick over all prices in it, by market and, for TokenOracles, by token.
	Prices struct {
		Meta
		Marks        map[string]string `json:"marks,omitempty"`
		Oracles      map[string]string `json:"oracles,omitempty"`
		Spots        map[string]string `json:"spots,omitempty"`
		TokenOracles map[string]string `json:"token_oracles,omitempty"`
	}
	// Funding is the hourly payment, by perp.
	Funding struct {
		Meta
		Rates map[string]string `json:"rates"`
	}
	// Halt lets an account, a market or, with All, everything do reductions alone.
	Halt struct {
		Meta
		Account string `json:"account,omitempty"`
		Market  string `json:"market,omitempty"`
		All     bool   `json:"all,omitempty"`
	}
	// Resume takes Halt back.
	Resume struct {
		Meta
		Account string `json:"account,omitempty"`
		Market  string `json:"market,omitempty"`
		All     bool   `json:"all,omitempty"`
	}
	// Raw is any other command.
	Raw struct {
		Meta
		Kind   string         `json:"-"` // its type
		Fields map[string]any `json:"-"` // all its fields but type, id and time
	}
)

// Trigger makes an order a stop.
type Trigger struct {
	Price    string `json:"price"`
	IsMarket bool   `json:"is_market"`
	TPSL     string `json:"tpsl"` // "tp" or "sl"
}

// Liquidation is what a Fill or a side of a Trade was sent for: the number that liquidation_order carries, and the
// method, "market" or "backstop".
type Liquidation struct {
	ID     string `json:"id"`
	Method string `json:"method"`
}

// TradeSide is one party to a Trade.
type TradeSide struct {
	Account string `json:"account"`
	OrderID string `json:"order_id,omitempty"`
	Fee     string `json:"fee,omitempty"`

	Liquidation *Liquidation `json:"liquidation,omitempty"` // that asked for it
}

// Type returns "open_account".
func (OpenAccount) Type() string { return "open_account" }

// Type returns "set_mode".
func (SetMode) Type() string { return "set_mode" }

// Type returns "deposit".
func (Deposit) Type() string { return "deposit" }

// Type returns "withdraw".
func (Withdraw) Type() string { return "withdraw" }

// Type returns "transfer".
func (Transfer) Type() string { return "transfer" }

// Type returns "borrow".
func (Borrow) Type() string { return "borrow" }

// Type returns "repay".
func (Repay) Type() string { return "repay" }

// Type returns "set_leverage".
func (SetLeverage) Type() string { return "set_leverage" }

// Type returns "order".
func (Order) Type() string { return "order" }

// Type returns "cancel".
func (Cancel) Type() string { return "cancel" }

// Type returns "cancel_all".
func (CancelAll) Type() string { return "cancel_all" }

// Type returns "trade".
func (Trade) Type() string { return "trade" }

// Type returns "fill".
func (Fill) Type() string { return "fill" }

// Type returns "prices".
func (Prices) Type() string { return "prices" }

// Type returns "funding".
func (Funding) Type() string { return "funding" }

// Type returns "halt".
func (Halt) Type() string { return "halt" }

// Type returns "resume".
func (Resume) Type() string { return "resume" }

// Type returns Kind.
func (r Raw) Type() string { return r.Kind }

// Result answers a command.
type Result struct {
	Seq       uint64 `json:"seq"` // place in the total order
	OK        bool   `json:"ok"`
	Time      int64  `json:"time"`      // engine time there, ms
	Duplicate bool   `json:"duplicate"` // it was applied before: this is the first result
	Required  string `json:"required"`  // of an order: margin it needs, and what there is
	Available string `json:"available"`
	Rule      string `json:"rule"`  // that binds
	Index     uint32 `json:"index"` // of an account just opened

	UnknownOrder       bool   `json:"unknown_order"`       // a fill named an order that was not resting
	UnknownLiquidation bool   `json:"unknown_liquidation"` // or a liquidation that is not under way
	Err                *Error `json:"error"`               // why it was refused, or nil
}

// Do has a command applied once and returns its result. err is an *Error when the rules
// refused it (IsRefusal) or it never came before them, else what the network said last: then
// the command may have been applied, and Do with the same id finds out.
func (c *Client) Do(ctx context.Context, command Command) (Result, error) {
	body, err := encode(command)
	if err != nil {
		return Result{}, err
	}
	reply, err := c.repeat(ctx, &request{
		method: http.MethodPost, path: "/v1/commands", contentType: "application/json", body: body,
	})
	var answer *Error
	if err != nil && !(errors.As(err, &answer) && answer.IsRefusal()) {
		return Result{}, err
	}
	var r Result
	if jsonErr := json.Unmarshal(reply, &r); jsonErr != nil {
		return Result{}, fmt.Errorf("client: the reply to a command is %.100q: %w", reply, jsonErr)
	}
	if r.Err != nil {
		r.Err.Status, r.Err.Seq = http.StatusUnprocessableEntity, r.Seq
		return r, r.Err
	}
	return r, err
}

// DoAll has commands applied at consecutive places of the order, each once; each is accepted
// or refused on its own, see Result.Err. err says that none has a result.
func (c *Client) DoAll(ctx context.Context, commands []Command) ([]Result, error) {
	body := []byte{'['}
	for i, command := range commands {
		if i > 0 {
			body = append(body, ',')
		}
		encoded, err := encode(command)
		if err != nil {
			return nil, err
		}
		body = append(body, encoded...)
	}
	reply, err := c.repeat(ctx, &request{
		method: http.MethodPost, path: "/v1/commands", contentType: "application/json", body: append(body, ']'),
	})
	if err != nil {
		return nil, err
	}
	var results []Result
	if err := json.Unmarshal(reply, &results); err != nil {
		return nil, fmt.Errorf("client: the reply to commands is %.100q: %w", reply, err)
	}
	if len(results) != len(commands) {
		return nil, fmt.Errorf("client: %d commands are answered with %d results", len(commands), len(results))
	}
	for i := range results {
		if r := &results[i]; r.Err != nil {
			r.Err.Status, r.Err.Seq = http.StatusUnprocessableEntity, r.Seq
		}
	}
	return results, nil
}

// encode writes a command with its type and an id.
func encode(command Command) ([]byte, error) {
	head := map[string]string{"type": command.Type()}
	if command.CommandID() == "" {
		head["id"] = newID()
	}
	var fields any = command
	if raw, ok := command.(Raw); ok {
		if fields = raw.Fields; raw.Fields == nil {
			fields = struct{}{}
		}
		if raw.ID != "" {
			head["id"] = raw.ID
		}
	}
	first, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("client: encode %s: %w", command.Type(), err)
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("client: encode %s: %w", command.Type(), err)
	}
	if raw, ok := command.(Raw); ok && raw.Time != 0 {
		first = fmt.Appendf(first[:len(first)-1], `,"time":%d}`, raw.Time)
	}
	if len(rest) > len("{}") {
		first = append(append(first[:len(first)-1], ','), rest[1:]...)
	}
	return first, nil
}

// newID draws an id: 0x and 128 random bits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "0x" + hex.EncodeToString(b[:])
}
