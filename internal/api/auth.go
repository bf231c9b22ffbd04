package api

import (
	"net/http"
	"strings"

	"plimsoll/risk"
)

// Scope is a set of what a token may do.
type Scope uint8

// Scopes of a token. None includes another: a token lists all that it has.
const (
	ScopeRead  Scope = 1 << iota // reads, simulations and events
	ScopeFeed                    // what the market says: prices, funding, clock
	ScopeTrade                   // what accounts do and what happens to them
	ScopeAdmin                   // listings, parameters, imports, halts, snapshots, profiles

	scopesAll = ScopeRead | ScopeFeed | ScopeTrade | ScopeAdmin
	scopeFree = Scope(0) // of a route: no token is needed
)

// scopeNames are the scopes as the file of tokens and errors write them.
var scopeNames = [...]string{"read", "feed", "trade", "admin"}

// String returns the names of a set, in the order above, with commas between them.
func (s Scope) String() string {
	names := make([]string, 0, len(scopeNames))
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// routeRule is one row of routeRules.
type routeRule struct {
	path  string
	below bool  // and everything that begins with path
	any   Scope // one of these is enough
}

// routeRules says which scope each route needs, in the order in which it is searched: the
// first that fits holds. What is not listed is no route, and any token is told so.
var routeRules = [...]routeRule{
	{path: "/v1/commands", any: ScopeFeed | ScopeTrade | ScopeAdmin}, // and then each command: see kindScopes
	{path: "/info", any: ScopeRead},
	{path: "/v1/accounts/", below: true, any: ScopeRead},
	{path: "/v1/accounts", any: ScopeRead},
	{path: "/v1/events", any: ScopeRead},
	{path: "/v1/status", any: ScopeRead},
	{path: "/v1/totals", any: ScopeRead},
	{path: "/v1/tokens", any: ScopeRead},
	{path: "/v1/perps", any: ScopeRead},
	{path: "/v1/spots", any: ScopeRead},
	{path: "/v1/pools", any: ScopeRead},
	{path: "/v1/pools/", below: true, any: ScopeRead},
	{path: "/v1/snapshot", any: ScopeAdmin},
	{path: "/metrics", any: ScopeRead},
	{path: "/healthz", any: scopeFree},
	{path: "/readyz", any: scopesAll},
	{path: "/openapi.json", any: scopesAll},
	{path: "/v1/whatif", any: ScopeRead},
	{path: "/v1/dashboard/stream", any: ScopeRead},
	{path: "/dashboard/", below: true, any: scopeFree}, // the page's files; what it shows needs a token
	{path: "/", any: scopeFree},
	{path: "/debug", below: true, any: ScopeAdmin},
}

// kindScopes says which scope each kind of command needs; a kind without a row needs admin.
var kindScopes = [...]Scope{
	risk.KindListToken:      ScopeAdmin,
	risk.KindListDex:        ScopeAdmin,
	risk.KindListPerp:       ScopeAdmin,
	risk.KindListSpot:       ScopeAdmin,
	risk.KindSetParameters:  ScopeAdmin,
	risk.KindImportAccount:  ScopeAdmin,
	risk.KindHalt:           ScopeAdmin,
	risk.KindResume:         ScopeAdmin,
	risk.KindRecheck:        ScopeAdmin,
	risk.KindPrices:         ScopeFeed,
	risk.KindFunding:        ScopeFeed,
	risk.KindClock:          ScopeFeed,
	risk.KindOpenAccount:    ScopeTrade,
	risk.KindSetMode:        ScopeTrade,
	risk.KindDeposit:        ScopeTrade,
	risk.KindWithdraw:       ScopeTrade,
	risk.KindTransfer:       ScopeTrade,
	risk.KindSupply:         ScopeTrade,
	risk.KindUnsupply:       ScopeTrade,
	risk.KindBorrow:         ScopeTrade,
	risk.KindRepay:          ScopeTrade,
	risk.KindSetLeverage:    ScopeTrade,
	risk.KindIsolatedMargin: ScopeTrade,
	risk.KindOrder:          ScopeTrade,
	risk.KindModify:         ScopeTrade,
	risk.KindCancel:         ScopeTrade,
	risk.KindCancelAll:      ScopeTrade,
	risk.KindTrigger:        ScopeTrade,
	risk.KindTrade:          ScopeTrade,
	risk.KindFill:           ScopeTrade,
}

// scopesOf returns the scopes of which a route needs one.
func scopesOf(path []byte) Scope {
	for i := range routeRules {
		r := &routeRules[i]
		if string(path) == r.path || r.below && len(path) > len(r.path) && string(path[:len(r.path)]) == r.path {
			return r.any
		}
	}
	return scopesAll
}

// scopeOf returns the scope that a kind of command needs.
func scopeOf(kind risk.Kind) Scope {
	if int(kind) < len(kindScopes) && kindScopes[kind] != 0 {
		return kindScopes[kind]
	}
	return ScopeAdmin
}

// commandName returns the type of a command as the api writes it.
func commandName(kind risk.Kind) string {
	for i := range specs {
		if specs[i].kind == kind {
			return specs[i].name
		}
	}
	return "kind " + string(appendInt(nil, int64(kind)))
}

// judgeScopes refuses a body with a command that the sender may not send, before any of its
// names is given a slot, and notes what its commands need together.
func (d *Decoder) judgeScopes() {
	for i := range d.groups {
		kind := d.records[d.groups[i].record].Kind
		need := scopeOf(kind)
		d.needed |= need
		if need&^d.granted == 0 || d.err != nil {
			continue
		}
		field := "type"
		if d.isBatch {
			field = "commands[" + string(appendInt(nil, int64(i))) + "].type"
		}
		d.err = forbidden("a "+commandName(kind)+" command", field, need, d.granted)
	}
}

// forbidden says which scope is missing. Where several would do, one of them is needed.
func forbidden(what, field string, need, has Scope) *Error {
	one := ""
	if need&(need-1) != 0 {
		one = "one of "
	}
	return &Error{
		Status: http.StatusForbidden, Code: codeForbidden, Field: field, Limit: "scope=" + need.String(),
		Message: what + " needs " + one + "scope " + need.String() + "; this token has " + has.String(),
	}
}
