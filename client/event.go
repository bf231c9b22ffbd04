package client

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// Cursor is a place in the stream of events: event N of Seq.
type Cursor struct {
	Seq uint64
	N   uint32
}

// After is the place behind all events of a seq. After(0) is the beginning.
func After(seq uint64) Cursor { return Cursor{seq, math.MaxUint32} }

// Now is the place behind the last command acknowledged when the stream is opened.
func Now() Cursor { return Cursor{math.MaxUint64, math.MaxUint32} }

// String writes a cursor as Last-Event-ID does: seq.n.
func (c Cursor) String() string {
	return strconv.FormatUint(c.Seq, 10) + "." + strconv.FormatUint(uint64(c.N), 10)
}

func (c Cursor) isNow() bool { return c == Now() }

func (c Cursor) isBefore(o Cursor) bool { return c.Seq < o.Seq || c.Seq == o.Seq && c.N < o.N }

// mayPrecede reports whether no event can stand between c and o.
func (c Cursor) mayPrecede(o Cursor) bool {
	if o.Seq == c.Seq {
		return o.N == c.N+1
	}
	return o.N == 1
}

// Filter says which events are wanted. Its zero value wants all.
type Filter struct {
	Account string   // events of this account alone; others have none
	Types   []string // events of these types alone
}

func (f *Filter) isEmpty() bool { return f.Account == "" && len(f.Types) == 0 }

func (f *Filter) query() string {
	q := url.Values{}
	if f.Account != "" {
		q.Set("account", f.Account)
	}
	if len(f.Types) > 0 {
		q.Set("types", strings.Join(f.Types, ","))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Event is one thing that happened. Fields that its type does not have are empty; Raw has all.
type Event struct {
	Seq     uint64 `json:"seq"`
	N       uint32 `json:"n"` // counts the events of a Seq from 1
	Type    string `json:"type"`
	Time    int64  `json:"time"` // engine time, ms
	Account string `json:"account"`

	From    string `json:"from"` // bands of health_changed, lending_health_changed and liquidation_ended
	To      string `json:"to"`
	Market  string `json:"market"`
	Token   string `json:"token"`
	Side    string `json:"side"` // liquidation_order, backstop_takeover, adl
	Size    string `json:"size"`
	Amount  string `json:"amount"`
	Balance string `json:"balance"` // after it
	Rate    string `json:"rate"`
	Mode    string `json:"mode"`
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"`

	Liquidation string `json:"liquidation"`  // its number: liquidation_*, backstop_takeover
	Price       string `json:"price"`        // at which a position changed hands: backstop_takeover, adl
	MarkPrice   string `json:"mark_price"`   // liquidation_order
	OraclePrice string `json:"oracle_price"` // the same on a spot market
	Left        string `json:"left"`         // liquidation_order of the backstop account: what it still is to sell, this included
	Value       string `json:"liquidation_value"`
	Requirement string `json:"requirement"`
	Ratio       string `json:"ratio"`        // of health_changed: requirement by value; empty when infinite
	RatioBefore string `json:"ratio_before"` // the same at the prices before the tick
	Loss        string `json:"loss"`         // loss_covered: all of it; Amount is the part covered
	Against     string `json:"against"`      // adl, loss_covered that is shared: the account whose loss it is

	All bool `json:"all"` // halted, resumed

	Raw json.RawMessage `json:"-"` // the line as it came
}

// Cursor returns the event's place: a stream that resumes there goes on with the next.
func (e *Event) Cursor() Cursor { return Cursor{e.Seq, e.N} }

// GapError says that events are missing, for good: they are no longer kept, or the daemon has
// another history than the one the cursor is from. Read the accounts anew, and follow from
// the seq of that reply.
type GapError struct {
	After     Cursor // the last event handed out, or where the stream was to begin
	Next      Cursor // the event that came instead of the one that follows; zero if none did
	OldestSeq uint64 // the oldest seq whose events are all kept; 0 = not told
	Err       *Error // what the daemon said, or nil
}

// Error says what is missing.
func (e *GapError) Error() string {
	s := "client: events after " + e.After.String() + " are missing"
	switch {
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	case e.OldestSeq > 0:
		return fmt.Sprintf("%s: the oldest seq kept is %d", s, e.OldestSeq)
	default:
		return s + ": the next to come is " + e.Next.String()
	}
}

// Unwrap returns what the daemon said.
func (e *GapError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}
