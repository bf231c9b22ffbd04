package api

import (
	"strings"

	"plimsoll/risk"
)

// badInputs is what callers get wrong, one line each: the body, the code and the field
// that the error must carry.
var badInputs = []struct{ name, body, code, field string }{
	{"empty body", ``, codeMalformed, ""},
	{"only spaces", "  \n", codeMalformed, ""},
	{"not json", `hello`, codeMalformed, ""},
	{"a string", `"order"`, codeMalformed, ""},
	{"a number", `42`, codeMalformed, ""},
	{"null", `null`, codeMalformed, ""},
	{"empty array", `[]`, codeEmptyBatch, ""},
	{"empty object", `{}`, codeMissingField, "type"},
	{"array of a number", `[1]`, codeMalformed, "commands[0]"},
	{"array of arrays", `[[]]`, codeMalformed, "commands[0]"},
	{"trailing comma in array", `[{"type":"clock","time":1},]`, codeMalformed, "commands[1]"},
	{"trailing comma in object", `{"type":"clock","time":1,}`, codeMalformed, ""},
	{"no comma", `{"type":"clock" "time":1}`, codeMalformed, ""},
	{"no colon", `{"type" "clock"}`, codeMalformed, ""},
	{"no value", `{"type":}`, codeMalformed, ""},
	{"key without quotes", `{type:"clock"}`, codeMalformed, ""},
	{"single quotes", `{'type':'clock'}`, codeMalformed, ""},
	{"open object", `{"type":"clock","time":1`, codeMalformed, ""},
	{"open string", `{"type":"clock`, codeMalformed, ""},
	{"open array", `[{"type":"clock","time":1}`, codeMalformed, "commands"},
	{"garbage after object", `{"type":"clock","time":1}x`, codeMalformed, ""},
	{"two objects", `{"type":"clock","time":1}{"type":"clock","time":1}`, codeMalformed, ""},
	{"comment", `{"type":"clock",/*now*/"time":1}`, codeMalformed, ""},
	{"bad escape", `{"type":"\q"}`, codeMalformed, ""},
	{"half a surrogate", `{"type":"\ud800"}`, codeMalformed, ""},
	{"misspelt true", `{"type":"order","reduce_only":tru}`, codeMalformed, ""},
	{"plus sign", `{"type":"clock","time":+1}`, codeMalformed, ""},
	{"leading zero", `{"type":"clock","time":01}`, codeMalformed, ""},
	{"bracket closed by brace", `{"type":"prices","marks":{"BTC":"1"]}`, codeMalformed, "marks"},

	{"type missing", `{"account":"bob"}`, codeMissingField, "type"},
	{"type a number", `{"type":1}`, codeWrongType, "type"},
	{"type null", `{"type":null}`, codeWrongType, "type"},
	{"type unknown", `{"type":"ordre"}`, codeUnknownType, "type"},
	{"type empty", `{"type":""}`, codeUnknownType, "type"},
	{"type twice", `{"type":"clock","type":"clock","time":1}`, codeDuplicateField, "type"},
	{"type twice by escape", `{"type":"clock","\u0074ype":"clock","time":1}`, codeDuplicateField, "type"},
	{"unknown field", `{"type":"clock","time":1,"tiem":2}`, codeUnknownField, "tiem"},
	{"empty field name", `{"type":"clock","time":1,"":2}`, codeUnknownField, ""},
	{"field of another command", `{"type":"clock","time":1,"size":"1"}`, codeUnknownField, "size"},
	{"unknown field in batch", `[{"type":"clock","time":1},{"type":"clock","time":1,"x":0}]`, codeUnknownField, "commands[1].x"},

	{"order without size", order("size", ""), codeMissingField, "size"},
	{"order without account", order("account", ""), codeMissingField, "account"},
	{"order without order_id", order("order_id", ""), codeMissingField, "order_id"},
	{"size a number", order("size", `1.5`), codeWrongType, "size"},
	{"size true", order("size", `true`), codeWrongType, "size"},
	{"size null", order("size", `null`), codeWrongType, "size"},
	{"size an object", order("size", `{}`), codeWrongType, "size"},
	{"size an array", order("size", `["1"]`), codeWrongType, "size"},
	{"size empty", order("size", `""`), codeInvalidNumber, "size"},
	{"size a word", order("size", `"many"`), codeInvalidNumber, "size"},
	{"size with exponent", order("size", `"1e5"`), codeInvalidNumber, "size"},
	{"size NaN in quotes", order("size", `"NaN"`), codeInvalidNumber, "size"},
	{"size NaN", order("size", `NaN`), codeInvalidNumber, "size"},
	{"size Infinity in quotes", order("size", `"Infinity"`), codeInvalidNumber, "size"},
	{"size -Infinity in quotes", order("size", `"-inf"`), codeInvalidNumber, "size"},
	{"size with a comma", order("size", `"1,5"`), codeInvalidNumber, "size"},
	{"size with two points", order("size", `"1.5.0"`), codeInvalidNumber, "size"},
	{"size with a space", order("size", `" 1"`), codeInvalidNumber, "size"},
	{"size a point", order("size", `"."`), codeInvalidNumber, "size"},
	{"size a sign", order("size", `"-"`), codeInvalidNumber, "size"},
	{"size hex", order("size", `"0x10"`), codeInvalidNumber, "size"},
	{"size with escapes", order("size", `"\u0031"`), codeInvalidNumber, "size"},
	{"size of 19 digits", order("size", `"1234567890123456789"`), codeTooManyDigits, "size"},
	{"size of 40 digits", order("size", `"`+strings.Repeat("9", 40)+`"`), codeTooManyDigits, "size"},
	{"size of 19 decimals", order("size", `"0.1234567890123456789"`), codeTooManyDigits, "size"},
	{"price a number", order("price", `60000`), codeWrongType, "price"},
	{"price with exponent", order("price", `"6E4"`), codeInvalidNumber, "price"},
	{"side unknown", order("side", `"long"`), codeInvalidValue, "side"},
	{"side in capitals", order("side", `"BUY"`), codeInvalidValue, "side"},
	{"side true", order("side", `true`), codeWrongType, "side"},
	{"reduce_only a string", order("reduce_only", `"true"`), codeWrongType, "reduce_only"},
	{"reduce_only 1", order("reduce_only", `1`), codeWrongType, "reduce_only"},
	{"account empty", order("account", `""`), codeInvalidName, "account"},
	{"account of 43", order("account", `"`+strings.Repeat("a", 43)+`"`), codeNameTooLong, "account"},
	{"account with a space", order("account", `"no body"`), codeInvalidName, "account"},
	{"account with a line break", order("account", `"no\nbody"`), codeInvalidName, "account"},
	{"account with a raw control", order("account", "\"no\x01body\""), codeInvalidName, "account"},
	{"account a number", order("account", `7`), codeWrongType, "account"},
	{"market of 43", order("market", `"`+strings.Repeat("M", 43)+`"`), codeNameTooLong, "market"},
	{"market not ascii", order("market", `"BTÇ"`), codeInvalidName, "market"},
	{"order_id a number", order("order_id", `12`), codeWrongType, "order_id"},
	{"order_id empty", order("order_id", `""`), codeInvalidID, "order_id"},
	{"order_id negative", order("order_id", `"-1"`), codeInvalidID, "order_id"},
	{"order_id 2^64", order("order_id", `"18446744073709551616"`), codeInvalidID, "order_id"},
	{"order_id leading zero", order("order_id", `"007"`), codeInvalidID, "order_id"},
	{"order_id capitals", order("order_id", `"0xABCDEF0123456789abcdef0123456789"`), codeInvalidID, "order_id"},
	{"order_id short hex", order("order_id", `"0xabc"`), codeInvalidID, "order_id"},
	{"order_id bad uuid", order("order_id", `"7c9e6679x7425-40de-944b-e07fc1f90ae7"`), codeInvalidID, "order_id"},
	{"id a number", order("id", `1`), codeWrongType, "id"},
	{"id a word", order("id", `"mine"`), codeInvalidID, "id"},
	{"time negative", order("time", `-5`), codeInvalidNumber, "time"},
	{"time a fraction", order("time", `1.5`), codeInvalidNumber, "time"},
	{"time with exponent", order("time", `1e3`), codeInvalidNumber, "time"},
	{"time a string", order("time", `"1"`), codeWrongType, "time"},
	{"time past 9999", order("time", `253402300800000`), codeInvalidNumber, "time"},
	{"time of 30 digits", order("time", strings.Repeat("9", 30)), codeInvalidNumber, "time"},
	{"trigger a string", order("trigger", `"59000"`), codeWrongType, "trigger"},
	{"trigger without tpsl", order("trigger", `{"price":"1","is_market":true}`), codeMissingField, "trigger.tpsl"},
	{"trigger price a number", order("trigger", `{"price":1,"is_market":true,"tpsl":"sl"}`), codeWrongType, "trigger.price"},
	{"trigger unknown field", order("trigger", `{"price":"1","is_market":true,"tpsl":"sl","x":1}`), codeUnknownField, "trigger.x"},
	{"trigger price twice", order("trigger", `{"price":"1","price":"1","is_market":true,"tpsl":"sl"}`), codeDuplicateField, "trigger.price"},
	{"trigger is_market a word", order("trigger", `{"price":"1","is_market":"yes","tpsl":"sl"}`), codeWrongType, "trigger.is_market"},
	{"nested too deep", order("trigger", strings.Repeat("[", 100)+strings.Repeat("]", 100)), codeTooDeep, "trigger"},
	{"nested without end", order("trigger", `{"price":[`), codeMalformed, ""},

	{"modify without anything", `{"type":"modify","account":"bob","order_id":"1"}`, codeMissingField, "size"},
	{"halt of nothing", `{"type":"halt"}`, codeMissingField, "account"},
	{"halt of two", `{"type":"halt","account":"bob","all":true}`, codeMissingField, "account"},
	{"halt all false", `{"type":"halt","all":false}`, codeInvalidValue, "all"},
	{"clock without time", `{"type":"clock"}`, codeMissingField, "time"},
	{"prices without maps", `{"type":"prices"}`, codeMissingField, "marks"},
	{"price a number in a map", `{"type":"prices","marks":{"BTC":60000}}`, codeWrongType, "marks.BTC"},
	{"price null in a map", `{"type":"prices","oracles":{"BTC":null}}`, codeWrongType, "oracles.BTC"},
	{"price with exponent", `{"type":"prices","marks":{"BTC":"6e4"}}`, codeInvalidNumber, "marks.BTC"},
	{"mark twice", `{"type":"prices","marks":{"BTC":"1","BTC":"1"}}`, codeDuplicateField, "marks.BTC"},
	{"unlisted mark twice", `{"type":"prices","marks":{"NOPE":"1","NOPE":"1"}}`, codeDuplicateField, "marks.NOPE"},
	{"spot twice", `{"type":"prices","spots":{"HYPE/USDC":"1","HYPE/USDC":"1"}}`, codeDuplicateField, "spots.HYPE/USDC"},
	{"empty name in a map", `{"type":"prices","marks":{"":"1"}}`, codeInvalidName, "marks"},
	{"marks an array", `{"type":"prices","marks":["BTC"]}`, codeWrongType, "marks"},
	{"marks without value", `{"type":"prices","marks":{"BTC"}}`, codeMalformed, "marks"},
	{"marks with trailing comma", `{"type":"prices","marks":{"BTC":"1",}}`, codeMalformed, "marks"},
	{"rates a string", `{"type":"funding","rates":"0.01"}`, codeWrongType, "rates"},
	{"too many marks", `{"type":"prices","marks":{` + manyNames(1025) + `}}`, codeLimitExceeded, "marks"},

	{"mode unknown", `{"type":"open_account","account":"eve","mode":"cash"}`, codeInvalidValue, "mode"},
	{"account with a slash", `{"type":"open_account","account":"a/b","mode":"unified"}`, codeInvalidName, "account"},
	{"master a number", `{"type":"open_account","account":"eve","mode":"unified","master":1}`, codeWrongType, "master"},
	{"wallet unknown", `{"type":"deposit","account":"bob","token":"USDC","amount":"1","wallet":"cold"}`, codeInvalidValue, "wallet"},
	{"wallet of no dex", `{"type":"deposit","account":"bob","token":"USDC","amount":"1","wallet":"perp:"}`, codeInvalidValue, "wallet"},
	{"amount a number", `{"type":"deposit","account":"bob","token":"USDC","amount":1}`, codeWrongType, "amount"},
	{"all is for lending", `{"type":"withdraw","account":"bob","token":"USDC","amount":"all"}`, codeInvalidNumber, "amount"},
	{"leverage a string", `{"type":"set_leverage","account":"bob","perp":"BTC","leverage":"5","margin":"cross"}`, codeWrongType, "leverage"},
	{"leverage 65536", `{"type":"set_leverage","account":"bob","perp":"BTC","leverage":65536,"margin":"cross"}`, codeInvalidNumber, "leverage"},
	{"margin unknown", `{"type":"set_leverage","account":"bob","perp":"BTC","leverage":5,"margin":"shared"}`, codeInvalidValue, "margin"},
	{"buyer a name", `{"type":"trade","market":"BTC","size":"1","price":"1","buyer":"bob","seller":{"account":"bob"}}`, codeWrongType, "buyer"},
	{"seller without account", `{"type":"trade","market":"BTC","size":"1","price":"1","buyer":{"account":"bob"},"seller":{}}`, codeMissingField, "seller.account"},
	{"seller fee a number", `{"type":"trade","market":"BTC","size":"1","price":"1","buyer":{"account":"bob"},"seller":{"account":"bob","fee":1}}`, codeWrongType, "seller.fee"},
	{"liquidation method", `{"type":"fill","account":"bob","market":"BTC","side":"buy","size":"1","price":"1","liquidation":{"id":1,"method":"adl"}}`, codeInvalidValue, "liquidation.method"},
	{"tier bound a number", perp(`[{"lower_bound":0,"max_leverage":40}]`), codeWrongType, "tiers[0].lower_bound"},
	{"third tier broken", perp(`[{"lower_bound":"0","max_leverage":40},{"lower_bound":"1","max_leverage":20},{"lower_bound":"x","max_leverage":10}]`), codeInvalidNumber, "tiers[2].lower_bound"},
	{"tier without leverage", perp(`[{"lower_bound":"0"}]`), codeMissingField, "tiers[0].max_leverage"},
	{"no tiers", perp(`[]`), codeInvalidValue, "tiers"},
	{"tiers an object", perp(`{}`), codeWrongType, "tiers"},
	{"nine tiers", perp(`[` + strings.Repeat(`{"lower_bound":"0","max_leverage":4},`, 8) + `{"lower_bound":"0","max_leverage":4}]`), codeLimitExceeded, "tiers[8]"},
	{"rate slope a number", strings.Replace(tokenBody, `"slope":"4.75"`, `"slope":4.75`, 1), codeWrongType, "rate.slope"},
	{"rate without kink", strings.Replace(tokenBody, `"kink":"0.8",`, ``, 1), codeMissingField, "rate.kink"},
	{"wei_decimals a string", strings.Replace(tokenBody, `"wei_decimals":8`, `"wei_decimals":"8"`, 1), codeWrongType, "wei_decimals"},
	{"wei_decimals 300", strings.Replace(tokenBody, `"wei_decimals":8`, `"wei_decimals":300`, 1), codeInvalidNumber, "wei_decimals"},
	{"token of 43", strings.Replace(tokenBody, `"USDT"`, `"`+strings.Repeat("T", 43)+`"`, 1), codeNameTooLong, "token"},
	{"full_name of 43", strings.Replace(tokenBody, `"index":9`, `"index":9,"full_name":"`+strings.Repeat("T", 43)+`"`, 1), codeNameTooLong, "full_name"},
	{"token_id a uuid", strings.Replace(tokenBody, `"index":9`, `"index":9,"token_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7"`, 1), codeInvalidID, "token_id"},
	{"no parameter", `{"type":"set_parameters"}`, codeMissingField, "offset_mode"},
	{"parameter liquidation as a word", `{"type":"set_parameters","liquidation":"off"}`, codeWrongType, "liquidation"},
	{"parameter liquidation as of a fill", `{"type":"set_parameters","liquidation":{"id":1,"method":"market"}}`, codeWrongType, "liquidation"},
	{"backstop account as a number", `{"type":"set_parameters","backstop_account":7}`, codeWrongType, "backstop_account"},
	{"backstop account with a space", `{"type":"set_parameters","backstop_account":"a b"}`, codeInvalidName, "backstop_account"},
	{"backstop account elsewhere", `{"type":"clock","time":1,"backstop_account":"bob"}`, codeUnknownField, "backstop_account"},
	{"parameter word", `{"type":"set_parameters","offset_mode":"maybe"}`, codeInvalidValue, "offset_mode"},
	{"balance total a number", imported(`[{"token":"USDC","total":1}]`, `[]`, `[]`), codeWrongType, "balances[0].total"},
	{"balance basis a word", imported(`[{"token":"USDC","total":"1","basis":"x"}]`, `[]`, `[]`), codeInvalidNumber, "balances[0].basis"},
	{"position without leverage", imported(`[]`, `[{"perp":"BTC","size":"1","entry_notional":"1","margin":"cross"}]`, `[]`), codeMissingField, "positions[0].leverage"},
	{"imported trigger", imported(`[]`, `[]`, `[{"order_id":"1","market":"BTC","side":"buy","price":"1","size":"1","trigger":{"price":"1","is_market":true,"tpsl":"x"}}]`), codeInvalidValue, "orders[0].trigger.tpsl"},
	{"positions missing", `{"type":"import_account","account":"eve","mode":"unified","balances":[],"orders":[]}`, codeMissingField, "positions"},
	{"too large an import", imported(`[`+strings.Repeat(`{"token":"USDC","total":"1"},`, risk.GroupMax)+`{"token":"USDC","total":"1"}]`, `[]`, `[]`), codeLimitExceeded, "balances[4095]"},
	{"too many commands", `[` + strings.Repeat(`{"type":"clock","time":1},`, commandsMax) + `{"type":"clock","time":1}]`, codeLimitExceeded, "commands[8192]"},
	{"eighth command", `[` + strings.Repeat(order("", "")+`,`, 7) + order("size", `1`) + `]`, codeWrongType, "commands[7].size"},
}

const tokenBody = `{"type":"list_token","token":"USDT","index":9,"wei_decimals":8,"ltv":"0","borrowable":true,` +
	`"supply_cap":"1","borrow_cap":"1","user_supply_cap":"1","user_borrow_cap":"1",` +
	`"rate":{"base":"0.05","slope":"4.75","kink":"0.8","reserve_factor":"0.1"}}`

// order is a good order with one field replaced, or left out when its value is empty.
func order(name, text string) string {
	fields := []struct{ name, text string }{
		{"type", `"order"`},
		{"account", `"bob"`},
		{"market", `"BTC"`},
		{"side", `"buy"`},
		{"size", `"1"`},
		{"price", `"60000"`},
		{"order_id", `"12"`},
	}
	var parts []string
	isNew := name != ""
	for _, f := range fields {
		if f.name == name {
			isNew = false
			if f.text = text; text == "" {
				continue
			}
		}
		parts = append(parts, `"`+f.name+`":`+f.text)
	}
	if isNew {
		parts = append(parts, `"`+name+`":`+text)
	}
	return `{` + strings.Join(parts, ",") + `}`
}

func perp(tiers string) string {
	return `{"type":"list_perp","perp":"ETH","index":1,"dex":"","sz_decimals":4,"collateral_token":"USDC","tiers":` + tiers +
		`,"margin_mode":"normal","funding_cap":"0.04"}`
}

func imported(balances, positions, orders string) string {
	return `{"type":"import_account","account":"eve","mode":"unified","balances":` + balances + `,"positions":` + positions +
		`,"orders":` + orders + `}`
}

func manyNames(count int) string {
	var parts []string
	for i := range count {
		parts = append(parts, `"P`+string(appendInt(nil, int64(i)))+`":"1"`)
	}
	return strings.Join(parts, ",")
}
