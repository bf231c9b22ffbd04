package api

import (
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// shockDecimals are those of a move.
const shockDecimals = 8

// whatIf answers GET /v1/whatif?market=&move= from a pass that values every account twice.
func (s *Server) whatIf(ctx *fasthttp.RequestCtx) {
	shock, fault := s.shockOf(ctx)
	if fault != nil {
		s.fail(ctx, fault)
		return
	}
	view, seq, err := s.engine.WhatIf(shock)
	keep(ctx, time.Now()) // it may take longer than a reply may
	if err != nil {
		s.fail(ctx, s.refused(err))
		return
	}
	s.passes.keepTotals(view, seq)
	s.reply(ctx, http.StatusOK, appendWhatIf(nil, seq, view, s.dir), seq)
}

// shockOf reads the parameters of GET /v1/whatif.
func (s *Server) shockOf(ctx *fasthttp.RequestCtx) (shock risk.Shock, fault *Error) {
	shock.Market = risk.NoSlot
	if name := ctx.QueryArgs().Peek("market"); len(name) > 0 {
		slot, ok := s.dir.lookup(namePerp, name)
		if l, err := s.static(); err != nil {
			return shock, unavailable(err)
		} else if !ok || l.perp(slot) == nil {
			return shock, &Error{
				Status: http.StatusNotFound, Code: codeUnknownMarket, Field: "market",
				Message: "no perpetual " + quoted(name) + " is listed; without market all prices move",
			}
		}
		shock.Market = slot
	}
	text := ctx.QueryArgs().Peek("move")
	move, err := fixedpoint.ParseDecimal(text)
	scaled, isFit := fixedpoint.Rescale(move.Mantissa, move.Decimals, shockDecimals)
	if err != nil || !isFit || scaled < -risk.ShockDownMax || scaled > risk.ShockUpMax {
		return shock, &Error{
			Status: http.StatusBadRequest, Code: codeInvalidNumber, Field: "move", Limit: "move=-0.99999999..10",
			Message: "move is a decimal above -1 and at most 10, with up to eight decimals, such as -0.05; not " + quoted(text),
		}
	}
	shock.MoveE8 = scaled
	return shock, nil
}

// appendWhatIf writes GET /v1/whatif.
func appendWhatIf(dst []byte, seq uint64, v *risk.TotalsView, dir *Directory) []byte {
	w := v.WhatIf
	money := func(amount fixedpoint.Int128) risk.Amount { return risk.Amount{V: amount, Decimals: v.Decimals} }
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendKey(dst, "market")
	if w.Shock.Market == risk.NoSlot {
		dst = append(dst, "null"...)
	} else {
		dst = appendText(dst, dir.MarketName(w.Shock.Market))
	}
	dst = appendAmountField(dst, "move", risk.Amount{V: fixedpoint.I128(w.Shock.MoveE8), Decimals: shockDecimals})
	dst = appendUintField(dst, "accounts", v.Accounts)
	side := func(name string, equity fixedpoint.Int128, negative uint64, health *[risk.HealthCount]uint64) {
		dst = appendAmountField(append(appendKey(dst, name), '{'), "equity", money(equity))
		dst = appendUintField(dst, "negative_equity", negative)
		dst = append(appendKey(dst, "health"), '{')
		for h, count := range health {
			dst = appendUintField(dst, risk.Health(h).String(), count)
		}
		dst = append(dst, '}', '}')
	}
	side("before", v.Equity, v.Negative, &v.Health)
	side("after", w.Equity, w.Negative, &w.Health)
	return append(appendChanges(dst, w, money, dir), '}')
}

// appendChanges writes whose health differs under a shock.
func appendChanges(dst []byte, w *risk.WhatIf, money func(fixedpoint.Int128) risk.Amount, dir *Directory) []byte {
	exposure := func(x *risk.Exposure) {
		dst = appendUintField(dst, "accounts", x.Accounts)
		dst = append(appendAmountField(dst, "notional", money(x.Notional)), '}')
	}
	crossing, recovering := crossedBy(w)
	dst = append(appendKey(dst, "crossing"), '{')
	exposure(&crossing)
	dst = append(appendKey(dst, "recovering"), '{')
	exposure(&recovering)
	dst = append(appendKey(dst, "changes"), '[')
	for from := range risk.HealthCount {
		for to := range risk.HealthCount {
			if x := &w.Changes[from][to]; from != to && x.Accounts > 0 {
				dst = appendTextField(append(appendSep(dst), '{'), "from", from.String())
				dst = appendTextField(dst, "to", to.String())
				exposure(x)
			}
		}
	}
	dst = append(appendKey(append(dst, ']'), "largest"), '[')
	for i := range w.LargestCount {
		x := &w.Largest[i]
		dst = appendTextField(append(appendSep(dst), '{'), "account", dir.AccountName(x.Account))
		dst = appendTextField(dst, "from", x.From.String())
		dst = appendTextField(dst, "to", x.To.String())
		dst = append(appendAmountField(dst, "notional", money(x.Notional)), '}')
	}
	return append(dst, ']')
}

// crossedBy returns who is past a line under a shock and not without, and the other way round.
func crossedBy(w *risk.WhatIf) (crossing, recovering risk.Exposure) {
	for from := range risk.HealthCount {
		for to := range risk.HealthCount {
			switch x := w.Changes[from][to]; {
			case to.IsPast() && !from.IsPast():
				crossing = crossing.Add(x)
			case from.IsPast() && !to.IsPast():
				recovering = recovering.Add(x)
			}
		}
	}
	return crossing, recovering
}
