package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Account is what an account holds.
type Account struct {
	Seq       uint64     `json:"seq"`
	Time      int64      `json:"time"`
	Account   string     `json:"account"`
	Index     uint32     `json:"index"`
	Mode      string     `json:"mode"`
	Master    string     `json:"master"`
	Halted    bool       `json:"halted"`
	Balances  []Balance  `json:"balances"`
	Positions []Position `json:"positions"`
	Orders    []Resting  `json:"orders"`
	Margin    Margin     `json:"margin"`

	Liquidation *UnderWay `json:"liquidation"` // nil = none
}

// UnderWay is a liquidation. Times are of the engine, in ms; NextMs is when it goes on by
// itself, 0 = with the next tick or clock.
type UnderWay struct {
	Number  string `json:"number"` // what its orders and fills are known by
	Stage   string `json:"stage"`
	SinceMs int64  `json:"since_ms"`
	NextMs  int64  `json:"next_ms"`
}

// Balance is what an account holds of a token.
type Balance struct {
	Token    string `json:"token"`
	Total    string `json:"total"`
	Hold     string `json:"hold"`
	Supplied string `json:"supplied"`
	Borrowed string `json:"borrowed"`
}

// Position is an open position. A price that does not exist is "".
type Position struct {
	Perp              string `json:"perp"`
	Size              string `json:"size"` // signed
	Margin            string `json:"margin"`
	Leverage          int    `json:"leverage"`
	EntryPrice        string `json:"entry_price"`
	Notional          string `json:"notional"`
	UnrealizedPnl     string `json:"unrealized_pnl"`
	MarginUsed        string `json:"margin_used"`
	MaintenanceMargin string `json:"maintenance_margin"`
	TriggerPrice      string `json:"trigger_price"`
	HyperliquidPrice  string `json:"hyperliquid_price"`
	Funding           string `json:"funding"`
}

// Resting is an order that rests.
type Resting struct {
	OrderID    string   `json:"order_id"`
	Market     string   `json:"market"`
	Side       string   `json:"side"`
	Price      string   `json:"price"`
	Size       string   `json:"size"`
	OrigSize   string   `json:"orig_size"`
	ReduceOnly bool     `json:"reduce_only"`
	Trigger    *Trigger `json:"trigger"`
	Time       int64    `json:"time"`
}

// Margin is how an account stands. Figures that its mode does not have are "".
type Margin struct {
	Seq                       uint64 `json:"seq"` // of GET …/margin
	Time                      int64  `json:"time"`
	Mode                      string `json:"mode"`
	Token                     string `json:"token"`
	Equity                    string `json:"equity"`
	NetBalance                string `json:"net_balance"`
	InitialRequirement        string `json:"initial_requirement"`
	MaintenanceMargin         string `json:"maintenance_margin"`
	BorrowedForMaintenance    string `json:"borrowed_for_maintenance"`
	CollateralCapacity        string `json:"collateral_capacity"`
	LiquidationValue          string `json:"liquidation_value"`
	AvailableAfterMaintenance string `json:"available_after_maintenance"`
	PortfolioMarginRatio      string `json:"portfolio_margin_ratio"`
	HealthFactor              string `json:"health_factor"`
	Health                    string `json:"health"`
	Available                 string `json:"available"`
	Withdrawable              string `json:"withdrawable"`
	LiquidationStage          string `json:"liquidation_stage"` // "" = none is under way
}

// Totals is what all accounts hold together.
type Totals struct {
	Seq                uint64            `json:"seq"`
	Time               int64             `json:"time"`
	Accounts           uint64            `json:"accounts"`
	Positions          uint64            `json:"positions"`
	Equity             string            `json:"equity"`
	Notional           string            `json:"notional"`
	InitialRequirement string            `json:"initial_requirement"`
	MaintenanceMargin  string            `json:"maintenance_margin"`
	Health             map[string]uint64 `json:"health"`          // accounts by band
	Negative           uint64            `json:"negative_equity"` // accounts with an equity below zero
	Solvent            bool              `json:"solvency_identity_holds"`
}

// Status is how far the daemon is.
type Status struct {
	Seq           uint64   `json:"seq"`
	Version       string   `json:"version"`
	Role          string   `json:"role"`
	Term          uint64   `json:"term"`
	Sequenced     uint64   `json:"sequenced"`
	Durable       uint64   `json:"durable"`
	Applied       []uint64 `json:"applied"`
	StateHash     string   `json:"state_hash"`
	Accounts      uint64   `json:"accounts"`
	NothingIsKept bool     `json:"nothing_is_kept"`
	ReadOnly      bool     `json:"read_only"`
	Events        uint64   `json:"events"`
	EventStreams  int      `json:"event_streams"`
}

// Account returns what an account holds.
func (c *Client) Account(ctx context.Context, account string) (a Account, err error) {
	err = c.get(ctx, "/v1/accounts/"+url.PathEscape(account), &a)
	return a, err
}

// Margin returns how an account stands.
func (c *Client) Margin(ctx context.Context, account string) (m Margin, err error) {
	err = c.get(ctx, "/v1/accounts/"+url.PathEscape(account)+"/margin", &m)
	return m, err
}

// Totals returns what all accounts hold together. It costs the daemon a pass over all of them.
func (c *Client) Totals(ctx context.Context) (t Totals, err error) {
	err = c.get(ctx, "/v1/totals", &t)
	return t, err
}

// Status returns how far the daemon is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.get(ctx, "/v1/status", &s)
	return s, err
}

// get reads a route into v.
func (c *Client) get(ctx context.Context, path string, v any) error {
	body, err := c.repeat(ctx, &request{method: http.MethodGet, path: path, accept: "application/json"})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("client: GET %s answers %.100q: %w", path, body, err)
	}
	return nil
}
