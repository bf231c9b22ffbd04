package api

import (
	"bytes"
	"strings"
)

// route is one row of the table of everything this server answers. The contract that is
// served (openapi.go), the names of routes in /metrics and the test that holds both against
// the router are made of it; who may use a route stands in routeRules.
type route struct {
	method  string
	path    string // {name} stands for what has no slash
	id      string // unique, of the operation
	tag     string
	summary string
	about   string   // more than a line; may be empty
	params  []string // of parameterTable
	bodies  []media
	replies []media
	status  string // codes of errors beside those that every route has, with spaces between
	isOpen  bool   // answered while there is no engine yet
}

// media is one form of a body or reply: a content type, and the schema of what is in it.
type media struct{ kind, schema string }

// Content types.
const (
	mediaJSON    = "application/json"
	mediaLines   = "application/x-ndjson"
	mediaRecords = "application/vnd.plimsoll.commands"
	mediaEvents  = "text/event-stream"
	mediaText    = "text/plain"
	mediaPage    = "text/html"
	mediaScript  = "text/javascript"
	mediaStyle   = "text/css"
	mediaImage   = "image/svg+xml"
	mediaProfile = "application/octet-stream"
)

// Tags group the routes for people.
const (
	tagCommands = "commands"
	tagAccounts = "accounts"
	tagMarkets  = "markets"
	tagEvents   = "events"
	tagInfo     = "info"
	tagDaemon   = "daemon"
)

func jsonOf(schema string) []media { return []media{{mediaJSON, schema}} }

// routeTable lists every route once.
var routeTable = [...]route{
	{
		method: "POST", path: "/v1/commands", id: "submitCommands", tag: tagCommands,
		summary: "Submit one command, or a batch of them",
		about: "A batch takes consecutive places in the total order or is refused whole; each command is then accepted or " +
			"refused on its own. Answered when all of it is durable and applied. One object is answered by one result, 422 " +
			"when the rules refuse it; every other form by an array of results, 200.",
		params: []string{"X-Plimsoll-Client"},
		bodies: []media{
			{mediaJSON, "CommandBody"}, {mediaLines, "Command"}, {mediaRecords, "CommandRecords"},
		},
		replies: jsonOf("CommandReply"), status: "400 413 415 422 429 500",
	},
	{
		method: "GET", path: "/v1/accounts", id: "listAccounts", tag: tagAccounts,
		summary: "List the accounts nearest to liquidation, worst first",
		params:  []string{"order", "limit"}, replies: jsonOf("NearestAccounts"), status: "400 429",
	},
	{
		method: "GET", path: "/v1/accounts/{account}", id: "getAccount", tag: tagAccounts,
		summary: "Get the balances, positions, orders and margin of an account",
		params:  []string{"account"}, replies: jsonOf("Account"), status: "404 429",
	},
	{
		method: "GET", path: "/v1/accounts/{account}/margin", id: "getMargin", tag: tagAccounts,
		summary: "Get the margin figures of an account alone",
		params:  []string{"account"}, replies: jsonOf("MarginReply"), status: "404 429",
	},
	{
		method: "GET", path: "/v1/accounts/{account}/explain", id: "explainAccount", tag: tagAccounts,
		summary: "Get every term of the margin ratio as trees whose nodes re-add exactly",
		params:  []string{"account"}, replies: jsonOf("Explanation"), status: "404 429",
	},
	{
		method: "GET", path: "/v1/accounts/{account}/liquidation_prices", id: "getLiquidationPrices", tag: tagAccounts,
		summary: "Get where each position and each collateral is liquidated",
		params:  []string{"account"}, replies: jsonOf("LiquidationPrices"), status: "404 429",
	},
	{
		method: "POST", path: "/v1/accounts/{account}/simulate", id: "simulateAccount", tag: tagAccounts,
		summary: "Try commands and prices on a copy of an account, and change nothing",
		params:  []string{"account"}, bodies: jsonOf("SimulationBody"), replies: jsonOf("Simulation"), status: "400 404 413 429",
	},
	{
		method: "GET", path: "/v1/tokens", id: "listTokens", tag: tagMarkets,
		summary: "List the tokens", replies: jsonOf("Tokens"), status: "429",
	},
	{
		method: "GET", path: "/v1/perps", id: "listPerps", tag: tagMarkets,
		summary: "List the perpetuals", replies: jsonOf("Perps"), status: "429",
	},
	{
		method: "GET", path: "/v1/spots", id: "listSpots", tag: tagMarkets,
		summary: "List the spot markets", replies: jsonOf("Spots"), status: "429",
	},
	{
		method: "GET", path: "/v1/pools", id: "listPools", tag: tagMarkets,
		summary: "List the lending pools: utilisation, rates, indices, caps and head-room",
		replies: jsonOf("Pools"), status: "429",
	},
	{
		method: "GET", path: "/v1/pools/{token}", id: "getPool", tag: tagMarkets,
		summary: "Get one lending pool", params: []string{"token"}, replies: jsonOf("PoolReply"), status: "404 429",
	},
	{
		method: "GET", path: "/v1/pools/{token}/history", id: "getPoolHistory", tag: tagMarkets,
		summary: "Get what a lending pool stood at, hour by hour, oldest first",
		params:  []string{"token", "start", "end", "rows"}, replies: jsonOf("PoolHistory"), status: "400 404 429",
	},
	{
		method: "GET", path: "/v1/totals", id: "getTotals", tag: tagAccounts,
		summary: "Get the sums over all accounts, accounts by health, and the solvency identity",
		replies: jsonOf("TotalsReply"), status: "429",
	},
	{
		method: "GET", path: "/v1/whatif", id: "shockMarkets", tag: tagAccounts,
		summary: "Count all accounts once more as if prices had moved, and change nothing",
		about: "A pass as that of /v1/totals values every account twice: at present prices, and with the marks and oracle " +
			"prices of one market or of all moved, with those of the collateral that follows them. Money stands.",
		params: []string{"market", "move"}, replies: jsonOf("WhatIf"), status: "400 404 429",
	},
	{
		method: "GET", path: "/v1/dashboard/stream", id: "streamDashboard", tag: tagDaemon,
		summary: "Follow what the dashboard shows",
		about:   "Server-sent events whose data is JSON. They are made for the page at /, and may change with it.",
		replies: []media{{mediaEvents, "DashboardStream"}}, status: "429",
	},
	{
		method: "GET", path: "/v1/events", id: "streamEvents", tag: tagEvents,
		summary: "Follow the public events in order",
		about: "Server-sent events, or lines for a reader that accepts application/x-ndjson. An id is seq.n; a stream resumes " +
			"behind the id given. A reader that does not keep up is dropped with the cursor to resume from.",
		params:  []string{"after", "Last-Event-ID", "account-filter", "types"},
		replies: []media{{mediaEvents, "EventStream"}, {mediaLines, "Event"}}, status: "400 404 409 410 429",
	},
	{
		method: "GET", path: "/v1/status", id: "getStatus", tag: tagDaemon,
		summary: "Get how far each stage is, the state hash, the last snapshot and the last recovery",
		replies: jsonOf("Status"), status: "429",
	},
	{
		method: "POST", path: "/v1/snapshot", id: "takeSnapshot", tag: tagDaemon,
		summary: "Write a snapshot now, and answer when it is published",
		replies: jsonOf("Snapshot"), status: "409 429",
	},
	{
		method: "POST", path: "/info", id: "postInfo", tag: tagInfo,
		summary: "Read in the shapes of Hyperliquid's API",
		about:   "The field type says which of its reads; an unknown one answers 422, as the venue does.",
		bodies:  jsonOf("InfoBody"), replies: jsonOf("InfoReply"), status: "400 413 422 429",
	},
	{
		method: "GET", path: "/metrics", id: "getMetrics", tag: tagDaemon, isOpen: true,
		summary: "Get counters, gauges and histograms in the text form of Prometheus, version 0.0.4",
		replies: []media{{mediaText, "Text"}}, status: "",
	},
	{
		method: "GET", path: "/openapi.json", id: "getContract", tag: tagDaemon, isOpen: true,
		summary: "Get this document", replies: jsonOf("Contract"), status: "",
	},
	{
		method: "GET", path: "/healthz", id: "getHealth", tag: tagDaemon, isOpen: true,
		summary: "Ask whether the process is alive", replies: []media{{mediaText, "Text"}}, status: "",
	},
	{
		method: "GET", path: "/readyz", id: "getReady", tag: tagDaemon, isOpen: true,
		summary: "Ask whether the daemon answers: 503 while it recovers, lists its universe, or drains",
		replies: []media{{mediaText, "Text"}}, status: "",
	},
	{
		method: "GET", path: "/debug/pprof/{profile}", id: "getProfile", tag: tagDaemon, isOpen: true,
		summary: "Get a profile of the process, for go tool pprof",
		about: "A name of runtime/pprof such as heap, goroutine, mutex, block; profile is that of the processor, and trace an " +
			"execution trace, over ?seconds. Admin only: without tokens, from loopback only.",
		params:  []string{"profile", "seconds"},
		replies: []media{{mediaProfile, "Profile"}}, status: "400 403 404 409",
	},
	{
		method: "GET", path: "/dashboard/{file}", id: "getDashboardFile", tag: tagDaemon, isOpen: true,
		summary: "Get a file that the dashboard is made of", params: []string{"file"},
		replies: []media{{mediaScript, "Text"}, {mediaStyle, "Text"}, {mediaImage, "Text"}}, status: "404",
	},
	{
		method: "GET", path: "/", id: "getRoot", tag: tagDaemon, isOpen: true,
		summary: "Get the dashboard, or for who does not accept text/html the list of routes",
		replies: []media{{mediaText, "Text"}, {mediaPage, "Text"}}, status: "",
	},
}

// routeOther stands in /metrics for what is no route.
const routeOther = len(routeTable)

type routeShape struct {
	before, after string
	isNamed       bool
}

// routeShapes are the paths of routeTable as they are compared: what stands before a name, and
// behind it.
var routeShapes = func() (shapes [len(routeTable)]routeShape) {
	for i := range routeTable {
		x := &shapes[i]
		x.before, x.after, x.isNamed = strings.Cut(routeTable[i].path, "{")
		_, x.after, _ = strings.Cut(x.after, "}")
	}
	return shapes
}()

// routeOf returns the row of a path, or routeOther.
func routeOf(path []byte) int {
	for i := range routeShapes {
		x := &routeShapes[i]
		if !x.isNamed {
			if string(path) == x.before {
				return i
			}
			continue
		}
		name := len(path) - len(x.after)
		if name > len(x.before) && string(path[:len(x.before)]) == x.before && string(path[name:]) == x.after &&
			bytes.IndexByte(path[len(x.before):name], '/') < 0 {
			return i
		}
	}
	return routeOther
}
