package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// The contract is an OpenAPI 3.1 document made of the tables that the server itself works by:
// routeTable (routes), routeRules (scopes), specs (commands), errorTable and risk.Reason
// (codes), and openapi.txt (bodies and replies). Tests hold it against the router and against
// replies.

// contract answers GET /openapi.json.
func (s *Server) contract(ctx *fasthttp.RequestCtx) {
	s.stamp(ctx, s.lastSeq.Load())
	ctx.SetContentType(mediaJSON)
	ctx.SetBody(s.document()) // made once
}

// parameterRow is a parameter of routes.
type parameterRow struct {
	key      string // in route.params
	name, in string
	required bool
	schema   string // JSON
	about    string
}

const schemaString = `{"type":"string"}`

var parameterTable = [...]parameterRow{
	{"account", "account", "path", true, schemaString, "Name of an account; addresses compare without case."},
	{"token", "token", "path", true, schemaString, "Name of a token."},
	{"file", "file", "path", true, schemaString, "Name of a file."},
	{"market", "market", "query", false, schemaString, "Name of a perpetual; without one, all prices move."},
	{
		"move", "move", "query", true,
		schemaString, "By how much, as a decimal: -0.1 is ten percent down. Above -1, at most 10; with up to eight decimals.",
	},
	{"profile", "profile", "path", true, schemaString, "Name of a profile: heap, goroutine, profile, trace, …"},
	{"order", "order", "query", false, `{"type":"string","enum":["risk"]}`, "By what accounts are listed."},
	{"limit", "limit", "query", false, `{"type":"integer","minimum":1,"maximum":1000,"default":100}`, "Accounts listed at most."},
	{
		"after", "after", "query", false,
		schemaString, "A place: events after all of it; or seq.n: after that event. Without one, events from now on.",
	},
	{"start", "start", "query", false, `{"type":"integer","minimum":0,"default":0}`, "Rows from this engine time on, ms."},
	{"end", "end", "query", false, `{"type":"integer","minimum":0}`, "Rows up to this engine time, ms; without it, up to now."},
	{
		"rows", "limit", "query", false,
		`{"type":"integer","minimum":0,"maximum":` + strconv.Itoa(risk.RatesKept) + `,"default":` + strconv.Itoa(risk.RatesKept) + `}`,
		"Rows at most.",
	},
	{"Last-Event-ID", "Last-Event-ID", "header", false, schemaString, "seq.n of the last event received; goes before after."},
	{"account-filter", "account", "query", false, schemaString, "Events of this account alone."},
	{"types", "types", "query", false, schemaString, "Event types, separated by commas: those alone."},
	{
		"seconds", "seconds", "query", false,
		`{"type":"integer","minimum":1,"maximum":120,"default":30}`, "Length of a profile or trace.",
	},
	{
		"X-Plimsoll-Client", "X-Plimsoll-Client", "header", false, `{"type":"string","maxLength":42}`,
		"Within what ids are unique. Not looked at where there are tokens: there it is the token's name.",
	},
}

// statusOfEvery lists the statuses that each route may answer beside its own: of access, of
// the method, and of a daemon that is not there.
const statusOfEvery = "401 403 405 429 503"

// makeContract writes the document.
func makeContract(version string) []byte {
	dst := appendTextField([]byte{'{'}, "openapi", "3.1.0")
	dst = append(appendKey(dst, "info"), '{')
	dst = appendTextField(dst, "title", "Plimsoll")
	dst = appendTextField(dst, "version", version)
	dst = appendTextField(dst, "summary", "A portfolio-margin risk engine")
	dst = appendTextField(dst, "description", "Amounts, prices, sizes and rates are decimal strings; indices, counts, places "+
		"and times are integers; times are ms since 1970 UTC. HEAD goes where GET goes. Reads see every command that was "+
		"acknowledged before they were sent. Fields and routes may be added, none is renamed.")
	dst = append(appendKey(append(dst, '}'), "servers"), `[{"url":"/"}]`...)
	dst = append(appendKey(dst, "security"), `[{},{"bearer":[]}]`...)
	dst = append(appendKey(dst, "tags"), '[')
	for _, tag := range [...][2]string{
		{tagCommands, "What changes state, in one total order"},
		{tagAccounts, "Reads of accounts"},
		{tagMarkets, "Reference data, prices and pools"},
		{tagEvents, "What has happened, as a stream"},
		{tagInfo, "Reads in the shapes of Hyperliquid's API"},
		{tagDaemon, "The process itself"},
	} {
		dst = appendTextField(append(appendSep(dst), '{'), "name", tag[0])
		dst = append(appendTextField(dst, "description", tag[1]), '}')
	}
	dst = append(appendKey(append(dst, ']'), "paths"), '{')
	for i := range routeTable {
		dst = appendOperation(dst, &routeTable[i])
	}
	dst = append(appendKey(append(dst, '}'), "components"), '{')
	return append(appendComponents(dst), '}', '}')
}

// appendOperation writes the path of one route; no two share one.
func appendOperation(dst []byte, r *route) []byte {
	dst = append(appendKey(append(appendKey(dst, r.path), '{'), strings.ToLower(r.method)), '{')
	dst = appendTextField(dst, "operationId", r.id)
	dst = appendWords(dst, "tags", []string{r.tag})
	dst = appendTextField(dst, "summary", r.summary)
	about := r.about
	if about == "" {
		about = r.summary + "."
	}
	scopes := scopesOf([]byte(strings.ReplaceAll(r.path, "{", "x")))
	if scopes == scopeFree {
		dst = append(appendKey(dst, "security"), `[{}]`...)
		about += " Needs no token."
	} else {
		about += " Scope, where there are tokens: one of " + scopes.String() + "."
	}
	dst = appendTextField(dst, "description", about)
	if len(r.params) > 0 {
		dst = append(appendKey(dst, "parameters"), '[')
		for _, key := range r.params {
			dst = append(appendRef(append(appendSep(dst), '{'), "parameters", key), '}')
		}
		dst = append(dst, ']')
	}
	if len(r.bodies) > 0 {
		dst = append(appendBoolField(append(appendKey(dst, "requestBody"), '{'), "required", true), ',')
		dst = append(appendContent(dst, r.bodies), '}')
	}
	dst = append(appendKey(dst, "responses"), '{')
	dst = appendTextField(append(appendKey(dst, "200"), '{'), "description", "Done.")
	dst = append(appendHeaders(dst, "200"), ',')
	dst = append(appendContent(dst, r.replies), '}')
	statuses := strings.Fields(r.status + " " + statusOfEvery)
	slices.Sort(statuses)
	for _, status := range slices.Compact(statuses) {
		name := "Error" + status
		if status == "422" && r.path == routeTable[0].path {
			name = "Refused"
		}
		dst = append(appendRef(append(appendKey(dst, status), '{'), "responses", name), '}')
	}
	return append(dst, '}', '}', '}')
}

// appendContent writes content of one or more types.
func appendContent(dst []byte, content []media) []byte {
	dst = append(dst, `"content":{`...)
	for _, m := range content {
		dst = append(appendKey(append(appendKey(dst, m.kind), '{'), "schema"), '{')
		dst = append(appendRef(dst, "schemas", m.schema), '}', '}')
	}
	return append(dst, '}')
}

// appendHeaders writes the headers of a reply.
func appendHeaders(dst []byte, status string) []byte {
	dst = append(appendKey(dst, "headers"), '{')
	dst = append(appendRef(append(appendKey(dst, "X-Plimsoll-Seq"), '{'), "headers", "Seq"), '}')
	if status == "429" || status == "503" {
		dst = append(appendRef(append(appendKey(dst, "Retry-After"), '{'), "headers", "RetryAfter"), '}')
	}
	return append(dst, '}')
}

// appendComponents writes what the paths refer to.
func appendComponents(dst []byte) []byte {
	dst = append(appendKey(dst, "securitySchemes"),
		`{"bearer":{"type":"http","scheme":"bearer","description":"A token of --auth-file."}}`...)
	dst = append(appendKey(dst, "headers"), `{"Seq":{"description":"The place in the total order that the reply reflects.",`+
		`"required":true,"schema":{"type":"integer"}},"RetryAfter":{"description":"Seconds after which to come back.",`+
		`"schema":{"type":"integer"}}}`...)
	dst = append(appendKey(dst, "parameters"), '{')
	for i := range parameterTable {
		p := &parameterTable[i]
		dst = appendTextField(append(appendKey(dst, p.key), '{'), "name", p.name)
		dst = appendBoolField(appendTextField(dst, "in", p.in), "required", p.required)
		dst = appendTextField(dst, "description", p.about)
		dst = append(append(appendKey(dst, "schema"), p.schema...), '}')
	}
	dst = append(appendKey(append(dst, '}'), "responses"), '{')
	dst = appendErrorReplies(dst)
	dst = append(appendKey(append(dst, '}'), "schemas"), '{')
	return append(appendSchemas(dst), '}')
}

// appendErrorReplies writes one reply for each status of an error, with the codes it may have.
func appendErrorReplies(dst []byte) []byte {
	used := map[string]bool{}
	for i := range routeTable {
		for status := range strings.FieldsSeq(routeTable[i].status + " " + statusOfEvery) {
			used[status] = true
		}
	}
	last := 0
	for i := range errorTable {
		status := errorTable[i].status
		if status == last || !used[strconv.Itoa(status)] {
			continue
		}
		last = status
		var codes []string
		for j := range errorTable {
			if e := &errorTable[j]; e.status == status {
				codes = append(codes, e.code+": "+e.about)
			}
		}
		dst = appendErrorReply(dst, strconv.Itoa(status), strings.Join(codes, "; ")+".")
	}
	dst = appendErrorReply(dst, "422", "The venue's status for a body that it cannot read, an unknown type among them.")
	dst = appendTextField(append(appendKey(dst, "Refused"), '{'), "description", "The rules refused the one command of the body.")
	dst = append(appendHeaders(dst, "422"), ',')
	return append(appendContent(dst, jsonOf("CommandResult")), '}')
}

func appendErrorReply(dst []byte, status, about string) []byte {
	dst = appendTextField(append(appendKey(dst, "Error"+status), '{'), "description", about)
	dst = append(appendHeaders(dst, status), ',')
	return append(appendContent(dst, jsonOf("ErrorReply")), '}')
}

// fixedSchemas are those that neither a table nor openapi.txt describes.
const fixedSchemas = `"Decimal":{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]+)?$",` +
	`"description":"An exact decimal without exponent."},` +
	`"AmountOrAll":{"anyOf":[{"$ref":"#/components/schemas/Decimal"},{"const":"all"}],"description":"An amount, or all there is."},` +
	`"CommandBody":{"description":"One command, or an array of them.","oneOf":[{"$ref":"#/components/schemas/Command"},` +
	`{"type":"array","items":{"$ref":"#/components/schemas/Command"},"minItems":1,"maxItems":8192}]},` +
	`"CommandReply":{"description":"One result for one command, else an array of them in order.","oneOf":[` +
	`{"$ref":"#/components/schemas/CommandResult"},{"type":"array","items":{"$ref":"#/components/schemas/CommandResult"}}]},` +
	`"CommandRecords":{"type":"string","contentEncoding":"binary","description":"Records of 128 bytes, docs/WIRE.md."},` +
	`"Profile":{"type":"string","contentEncoding":"binary","description":"What go tool pprof or go tool trace reads."},` +
	`"Text":{"type":"string","description":"Text."},` +
	`"Contract":{"type":"object","description":"An OpenAPI 3.1 document."},` +
	`"InfoReply":{"description":"What the venue answers to the type."},` +
	`"InfoType":{"type":"string","description":"Name of a read of the venue.","examples":["meta","metaAndAssetCtxs",` +
	`"clearinghouseState","spotClearinghouseState","openOrders","allMids","borrowLendUserState","liquidatable","exchangeStatus"]}`

// appendSchemas writes all schemas.
func appendSchemas(dst []byte) []byte {
	dst = append(dst, fixedSchemas...)
	for _, words := range wordSchemas() {
		dst = appendTextField(append(appendKey(dst, words.name), '{'), "type", "string")
		dst = append(appendWords(appendTextField(dst, "description", words.about), "enum", words.words), '}')
	}
	schemas, err := parseSchemas(schemaText)
	if err != nil {
		panic("api: BUG: " + err.Error())
	}
	for i := range schemas {
		if schemas[i].name == "fields" {
			dst = appendCommands(dst, &schemas[i])
			continue
		}
		dst = appendObject(dst, &schemas[i])
	}
	return dst
}
