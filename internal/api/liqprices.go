package api

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// liquidationPrices answers GET /v1/accounts/{account}/liquidation_prices.
func (s *Server) liquidationPrices(ctx *fasthttp.RequestCtx, name []byte) {
	b := s.sandbox()
	defer s.sandboxes.Put(b)
	slot, isOpen := s.dir.Account(name), false
	seq, err := s.engine.Read(slot, func(m *risk.Machine) {
		isOpen = slot != risk.NoAccount && b.scratch.ReadCrossings(m, slot, &b.crossings, &b.account)
	})
	if !s.isRead(ctx, name, isOpen, err) {
		return
	}
	b.reply = appendCrossings(b.reply[:0], seq, &b.crossings, &b.account, s.dir)
	s.reply(ctx, http.StatusOK, b.reply, seq)
}

// appendCrossings writes where an account is liquidated: by each price alone, and by all
// of them together.
func appendCrossings(dst []byte, seq uint64, v *risk.CrossingView, a *risk.AccountView, dir *Directory) []byte {
	dst = append(appendKey(appendAccountHead(dst, seq, a, dir), "positions"), '[')
	for i := range v.Positions {
		x := &v.Positions[i]
		dst = appendTextField(append(appendSep(dst), '{'), "perp", dir.MarketName(x.Slot))
		dst = appendTextField(dst, "margin", marginName(x.IsIsolated))
		dst = append(appendCrossing(dst, x, dir), '}')
	}
	dst = append(appendKey(append(dst, ']'), "collaterals"), '[')
	for i := range v.Collaterals {
		x := &v.Collaterals[i]
		dst = appendTextField(append(appendSep(dst), '{'), "token", dir.TokenName(x.Slot))
		dst = append(appendCrossing(dst, x, dir), '}')
	}
	dst = append(appendKey(append(dst, ']'), "nearest_crossing"), '{')
	dst = appendNearestCrossing(dst, v, dir)
	return append(dst, '}', '}')
}

// appendCrossing writes the prices of one market or token, and why one is not there.
func appendCrossing(dst []byte, x *risk.CrossingPrice, dir *Directory) []byte {
	dst = appendAmountField(dst, "price", x.Present)
	dst = appendAmountField(dst, "trigger_price", x.Trigger)
	if x.Why != risk.CrossingFound {
		dst = appendTextField(dst, "trigger_reason", x.Why.String())
	}
	dst = appendAmountField(dst, "hyperliquid_price", x.Venue)
	if x.VenueWhy != risk.CrossingFound {
		dst = appendTextField(dst, "hyperliquid_reason", x.VenueWhy.String())
	}
	return appendLine(dst, "line", x.Line, dir)
}

// appendLine writes which line is meant, and of what.
func appendLine(dst []byte, key string, l risk.Line, dir *Directory) []byte {
	dst = appendKey(dst, key)
	if l.Kind == risk.LineNone {
		return append(dst, "null"...)
	}
	dst = appendTextField(append(dst, '{'), "kind", l.Kind.String())
	switch l.Kind {
	case risk.LineDex:
		dst = appendTextField(dst, "dex", dir.DexName(l.Slot))
	case risk.LineIsolated:
		dst = appendTextField(dst, "perp", dir.MarketName(l.Slot))
	case risk.LineRatio, risk.LineMaintenance, risk.LineNone:
		dst = appendTextField(dst, "token", dir.TokenName(l.Slot))
	}
	return append(dst, '}')
}

// appendNearestCrossing writes the least move of all prices together that takes the account
// past a line, and the least in each direction.
func appendNearestCrossing(dst []byte, v *risk.CrossingView, dir *Directory) []byte {
	nearest, direction := &v.Down, "down"
	if v.Up.Why == risk.CrossingFound && (v.Down.Why != risk.CrossingFound || v.Up.MoveE8 < v.Down.MoveE8) {
		nearest, direction = &v.Up, "up"
	}
	dst = appendKey(dst, "direction")
	if nearest.Why == risk.CrossingFound {
		dst = appendText(dst, direction)
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendMove(dst, nearest, dir)
	dst = append(appendMove(append(appendKey(dst, "down"), '{'), &v.Down, dir), '}')
	return append(appendMove(append(appendKey(dst, "up"), '{'), &v.Up, dir), '}')
}

// appendMove writes the size of a joint move in basis points, and what gives way.
func appendMove(dst []byte, x *risk.JointMove, dir *Directory) []byte {
	bps := risk.Amount{V: fixedpoint.I128(x.MoveE8), Decimals: 4, IsNull: x.Why != risk.CrossingFound}
	dst = appendAmountField(dst, "bps", bps)
	if x.Why != risk.CrossingFound {
		dst = appendTextField(dst, "reason", x.Why.String())
	}
	return appendLine(dst, "gives_way", x.Line, dir)
}
