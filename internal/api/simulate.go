package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// sandbox is what a what-if question works with; it is pooled, since a scratch machine is
// dear to make.
type sandbox struct {
	scratch   *risk.Scratch
	decoder   *Decoder
	body      []byte // commands and prices as one array: what the decoder reads
	simulated risk.SimulationView
	crossings risk.CrossingView
	explained risk.ExplainView
	account   risk.AccountView
	results   []engine.Result
	reply     []byte
}

func (s *Server) sandbox() *sandbox {
	if b, ok := s.sandboxes.Get().(*sandbox); ok {
		return b
	}
	return &sandbox{scratch: risk.NewScratch(), decoder: NewDecoder(s.dir)}
}

// simulate answers POST /v1/accounts/{account}/simulate: the commands are applied in order
// to a copy of the account, then the prices come as one tick; the figures before and after,
// the answer to each, and what would have been told. Nothing of it is kept.
func (s *Server) simulate(ctx *fasthttp.RequestCtx, name []byte) {
	if form, ok := s.form(ctx); !ok {
		return
	} else if form != FormJSON {
		s.fail(ctx, &Error{
			Status: http.StatusUnsupportedMediaType, Code: codeUnsupportedMedia, Field: "Content-Type",
			Message: "simulate takes application/json",
		})
		return
	}
	l, err := s.static()
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	b := s.sandbox()
	defer s.sandboxes.Put(b)
	slot, isOpen := s.dir.Account(name), false
	hasPrices, fault := b.decode(ctx.PostBody(), slot)
	if fault != nil {
		s.fail(ctx, fault)
		return
	}
	seq, err := s.engine.ReadTotals(slot, func(m *risk.Machine) {
		isOpen = slot != risk.NoAccount && b.scratch.Simulate(m, slot, b.decoder.Records(), &b.simulated)
	})
	if !s.isRead(ctx, name, isOpen, err) {
		return
	}
	b.reply = b.appendSimulation(b.reply[:0], seq, hasPrices, l)
	s.reply(ctx, http.StatusOK, b.reply, seq)
}

// limitSimulate is the limit of one request as errors show it.
const limitSimulate = "simulate_commands_max=64"

var _ = [1]struct{}{}[risk.SimulateMax-64] // limitSimulate

// decode reads {"commands":[…],"prices":{…}} and tests that it can be simulated on an
// account. The parts are laid side by side as an array of commands, the prices last, and
// read like any other: the same faults, at the same fields.
func (b *sandbox) decode(body []byte, slot uint32) (hasPrices bool, fault *Error) {
	d := b.decoder
	commands, prices, fault := d.split(body)
	if fault != nil {
		return false, fault
	}
	count := 0
	if b.body = append(append(b.body[:0], '['), commands...); len(commands) > 0 {
		if fault := d.decodeDry(append(b.body, ']')); fault != nil {
			return false, fault
		}
		count = d.Commands()
	}
	if hasPrices = len(prices) > 0; hasPrices {
		if count > 0 {
			b.body = append(b.body, ',')
		}
		b.body = append(append(append(b.body, `{"type":"prices",`...), prices...), '}')
		b.body = append(b.body, ']')
		if fault := d.decodeDry(b.body); fault != nil {
			fault.Field = "prices." + strings.TrimPrefix(fault.Field, "commands["+strconv.Itoa(count)+"].")
			return true, fault
		}
	}
	if count == 0 && !hasPrices {
		return false, &Error{Status: http.StatusBadRequest, Code: codeEmptyBatch, Message: "the body holds no command and no price"}
	}
	return hasPrices, d.checkSimulation(slot)
}

// decodeDry reads commands without giving out anything for what they list.
func (d *Decoder) decodeDry(body []byte) *Error {
	d.isDry = true
	fault := d.Decode(body, FormJSON, 0)
	d.isDry = false
	return fault
}

// split returns what stands between the brackets of the two fields of a request.
func (d *Decoder) split(body []byte) (commands, prices []byte, fault *Error) {
	d.body, d.err, d.depth, d.text = body, nil, 0, d.text[:0]
	i := skipSpace(body, 0)
	if i >= len(body) || body[i] != '{' {
		d.failAt(i, "a JSON object with commands, prices or both is expected")
		return nil, nil, d.err
	}
	hasCommands, hasPrices := false, false
	for i = skipSpace(body, i+1); d.err == nil; i = skipSpace(body, i+1) {
		if body[min(i, len(body)-1)] == '}' && !hasCommands && !hasPrices {
			break
		}
		raw, at, _ := d.keyText(i)
		if d.err != nil {
			break
		}
		var v value
		end := d.value(at, &v, fieldCount)
		name := string(raw)
		switch {
		case d.err != nil:
		case name == "commands" && hasCommands, name == "prices" && hasPrices:
			d.fail(codeDuplicateField, name, name+" stands twice in one object", "")
		case name == "commands" && v.kind == kindArray:
			hasCommands, commands = true, trimSpace(body[v.off+1:v.end-1])
		case name == "prices" && v.kind == kindObject:
			hasPrices, prices = true, trimSpace(body[v.off+1:v.end-1])
		case name == "commands" || name == "prices":
			d.fail(codeWrongType, name, "commands is an array, prices an object", "")
		default:
			d.fail(codeUnknownField, clipped(raw), "a simulation has commands and prices, no "+quoted(raw), "")
		}
		if i = skipSpace(body, end); d.err != nil || i < len(body) && body[i] == '}' {
			break
		}
		if i >= len(body) || body[i] != ',' {
			d.failAt(i, "a comma or } must follow a field")
		}
	}
	if d.err == nil && skipSpace(body, i+1) != len(body) {
		d.failAt(i+1, "nothing may follow the end of the request")
	}
	return commands, prices, d.err
}

// trimSpace cuts what JSON takes for white space off both ends.
func trimSpace(text []byte) []byte {
	text = text[skipSpace(text, 0):]
	for len(text) > 0 && skipSpace(text, len(text)-1) == len(text) {
		text = text[:len(text)-1]
	}
	return text
}

// checkSimulation tests that a machine can simulate what was read on an account.
func (d *Decoder) checkSimulation(slot uint32) *Error {
	if n := d.Commands(); n > risk.SimulateMax {
		return &Error{
			Status: http.StatusBadRequest, Code: codeLimitExceeded, Field: "commands", Limit: limitSimulate,
			Message: "a simulation holds at most 64 commands, its prices counted as one, not " + strconv.Itoa(n),
		}
	}
	for i := range d.groups {
		c := &d.Group(i)[0]
		at := "commands[" + strconv.Itoa(i) + "]."
		switch {
		case !risk.CanSimulate(c.Kind):
			return &Error{
				Status: http.StatusBadRequest, Code: codeInvalidValue, Field: at + "type",
				Message: "only commands of one account, prices and clock are simulated; of a trade simulate the fill",
			}
		case c.Kind != risk.KindPrices && c.Kind != risk.KindClock && c.Account() != slot:
			field := "account"
			if c.Kind == risk.KindTransfer {
				field = "from"
			}
			return &Error{
				Status: http.StatusBadRequest, Code: codeInvalidValue, Field: at + field,
				Message: "a simulation is about the account of its route alone",
			}
		}
	}
	return nil
}

// appendSimulation writes what a simulation found.
func (b *sandbox) appendSimulation(dst []byte, seq uint64, hasPrices bool, l *listing) []byte {
	v, d := &b.simulated, b.decoder
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendTextField(dst, "account", d.dir.AccountName(v.Before.Account))
	b.results = b.results[:0]
	for i := range v.Answers {
		b.results = append(b.results, resultOf(seq, &v.Answers[i]))
	}
	commands, refused := b.results, 0
	if hasPrices {
		commands = commands[:len(commands)-1]
	}
	dst = append(appendKey(dst, "results"), '[')
	for i := range b.results {
		if b.results[i].Reason != risk.ReasonNone {
			refused++
		}
		if i < len(commands) {
			dst = appendResult(appendSep(dst), d, i, &b.results[i])
		}
	}
	dst = append(dst, ']')
	if hasPrices {
		last := len(b.results) - 1
		dst = appendResult(appendKey(dst, "prices"), d, last, &b.results[last])
	}
	dst = appendIntField(dst, "refused", int64(refused))
	dst = append(appendKey(dst, "events"), '[')
	for i := range v.Events {
		dst = appendEvent(appendSep(dst), &v.Events[i], d.dir)
	}
	dst = appendKey(append(dst, ']'), "before")
	dst = appendAccount(dst, seq, &v.Before, l, d.dir)
	dst = appendAccount(appendKey(dst, "after"), seq, &v.After, l, d.dir)
	return append(dst, '}')
}

// resultOf makes the answer to a command as the engine would, at the place that was read.
func resultOf(seq uint64, e *risk.Event) engine.Result {
	r := engine.Result{
		Seq: seq, TimeMs: e.TimeMs, Reason: e.Reason, Rule: e.Rule, Field: e.Field,
		HasAmounts:         e.Flags&risk.EventHasAmounts != 0,
		UnknownOrder:       e.Flags&risk.EventUnknownOrder != 0,
		UnknownLiquidation: e.Flags&risk.EventUnknownLiquidation != 0,
	}
	if r.HasAmounts {
		r.Required, r.Available, r.Decimals = e.Amount, e.Amount2, e.Decimals
	}
	return r
}
