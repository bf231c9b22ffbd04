package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// totals answers GET /v1/totals from a pass over all accounts as of one place in the order.
func (s *Server) totals(ctx *fasthttp.RequestCtx) {
	view, seq, ok := s.pass(ctx, 0)
	if !ok {
		return
	}
	l, err := s.static() // names: whatever the pass has met was listed before
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	s.reply(ctx, http.StatusOK, appendTotals(nil, seq, view, l), seq)
}

// nearest answers GET /v1/accounts?order=risk&limit= from the same kind of pass.
func (s *Server) nearest(ctx *fasthttp.RequestCtx) {
	if order := ctx.QueryArgs().Peek("order"); len(order) > 0 && string(order) != "risk" {
		s.fail(ctx, &Error{
			Status: http.StatusBadRequest, Code: codeInvalidValue, Field: "order",
			Message: "accounts are listed by order=risk",
		})
		return
	}
	limit := nearestDefault
	if text := ctx.QueryArgs().Peek("limit"); len(text) > 0 {
		n, err := strconv.Atoi(string(text))
		if err != nil || n < 1 || n > nearestMax {
			s.fail(ctx, &Error{
				Status: http.StatusBadRequest, Code: codeInvalidNumber, Field: "limit", Limit: limitNearest,
				Message: "limit is 1 to 1000, not " + quoted(text),
			})
			return
		}
		limit = n
	}
	view, seq, ok := s.pass(ctx, limit)
	if !ok {
		return
	}
	found := view.Nearest[:min(limit, len(view.Nearest))] // others may have asked for more
	s.reply(ctx, http.StatusOK, appendNearest(nil, seq, found, s.dir), seq)
}

// pass takes a pass over all accounts, or fails the request.
func (s *Server) pass(ctx *fasthttp.RequestCtx, nearest int) (view *risk.TotalsView, seq uint64, ok bool) {
	view, seq, err := s.engine.Totals(nearest)
	keep(ctx, time.Now()) // it may take longer than a reply may
	if err != nil {
		s.fail(ctx, s.refused(err))
		return nil, 0, false
	}
	s.passes.keepTotals(view, seq)
	return view, seq, true
}

var _ = [1]struct{}{}[nearestMax-risk.NearestMax]

// appendNearest writes GET /v1/accounts?order=risk.
func appendNearest(dst []byte, seq uint64, nearest []risk.Nearest, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = append(appendKey(dst, "accounts"), '[')
	for i := range nearest {
		dst = append(appendNearestFields(append(appendSep(dst), '{'), &nearest[i], dir), '}')
	}
	return append(dst, ']', '}')
}

// appendNearestFields writes one of the nearest, without braces.
func appendNearestFields(dst []byte, n *risk.Nearest, dir *Directory) []byte {
	dst = appendTextField(dst, "account", dir.AccountName(n.Account))
	dst = appendTextField(dst, "health", n.Health.String())
	ratio := risk.Amount{V: n.RatioE10, Decimals: 10}
	ratio.IsNull = n.RatioE10 == fixedpoint.I128(1<<62) // saturated: the denominator is gone
	return appendAmountField(dst, "portfolio_margin_ratio", ratio)
}

// appendTotals writes GET /v1/totals; docs/MODEL.md §10 defines every figure.
func appendTotals(dst []byte, seq uint64, v *risk.TotalsView, l *listing) []byte {
	money := func(name string, amount fixedpoint.Int128) {
		dst = appendAmountField(dst, name, risk.Amount{V: amount, Decimals: v.Decimals})
	}
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendUintField(dst, "accounts", v.Accounts)
	dst = appendUintField(dst, "positions", v.Positions)
	money("equity", v.Equity)
	money("net_balance", v.NetBalance)
	money("notional", v.Notional)
	money("initial_requirement", v.Initial)
	money("maintenance_margin", v.Maintenance)
	dst = append(appendKey(dst, "health"), '{')
	for band, count := range v.Health {
		dst = appendUintField(dst, risk.Health(band).String(), count)
	}
	dst = append(appendKey(append(dst, '}'), "lending_health"), '{')
	for state, count := range v.Lending {
		dst = appendUintField(dst, lendingHealthName(risk.LendingHealth(state)), count)
	}
	dst = appendUintField(append(dst, '}'), "negative_equity", v.Negative)
	dst = appendDistances(dst, v)
	dst = append(appendKey(dst, "tokens"), '[')
	isSolvent := true
	for slot := range v.Tokens {
		t := &v.Tokens[slot]
		if name := l.token(uint32(slot)).Name; t.IsListed && name != "" { //nolint:gosec // below TokensMax
			isSolvent = isSolvent && t.Difference().IsZero()
			dst = appendTokenTotals(appendSep(dst), name, t)
		}
	}
	dst = appendBoolField(append(dst, ']'), "solvency_identity_holds", isSolvent)
	return append(appendMarkets(dst, v, l), '}')
}

// appendDistances writes how far accounts are from their lines: steps that hold some.
func appendDistances(dst []byte, v *risk.TotalsView) []byte {
	exposure := func(dst []byte, x *risk.Exposure) []byte {
		dst = appendUintField(dst, "accounts", x.Accounts)
		return append(appendAmountField(dst, "notional", risk.Amount{V: x.Notional, Decimals: v.Decimals}), '}')
	}
	dst = append(appendKey(dst, "distance"), '{')
	dst = exposure(append(appendKey(dst, "beyond"), '{'), &v.Beyond)
	dst = append(appendKey(dst, "steps"), '[')
	for n := range v.Distances {
		if v.Distances[n].Accounts == 0 {
			continue
		}
		from := risk.Amount{V: fixedpoint.I128(int64(n)), Decimals: 2}
		dst = exposure(appendAmountField(append(appendSep(dst), '{'), "from", from), &v.Distances[n])
	}
	dst = exposure(append(appendKey(append(dst, ']'), "no_requirement"), '{'), &v.Unexposed)
	return append(dst, '}')
}

// appendTokenTotals writes where a token's units stand and where they came from.
func appendTokenTotals(dst []byte, name string, t *risk.TokenTotals) []byte {
	dst = appendTextField(append(dst, '{'), "token", name)
	amount := func(name string, v fixedpoint.Int128) {
		dst = appendAmountField(dst, name, risk.Amount{V: v, Decimals: t.Decimals})
	}
	supplied, borrowed := t.PoolSums()
	amount("supplied", supplied)
	amount("borrowed", borrowed)
	ofAccounts, owed := t.AccountSums()
	amount("accounts_supplied", ofAccounts)
	amount("accounts_borrowed", owed)
	amount("idle_cash", t.IdleCash)
	amount("perp_cash", t.PerpCash)
	amount("isolated_cash", t.IsolatedCash)
	amount("pool_cash", t.PoolCash)
	amount("buffer", t.Buffer)
	amount("pool_dust", t.Dust())
	amount("fees", t.Fees)
	amount("clearing", t.Clearing)
	amount("external", t.External)
	amount("held", t.Held())
	amount("difference", t.Difference())
	return append(appendBoolField(dst, "identity_holds", t.Difference().IsZero()), '}')
}

// appendMarkets writes the open interest of each perp and who holds most of it, in the order
// of their slots.
func appendMarkets(dst []byte, v *risk.TotalsView, l *listing) []byte {
	dst = append(appendKey(dst, "markets"), '[')
	for slot := range v.Markets {
		t, p := &v.Markets[slot], l.perp(uint32(slot)) //nolint:gosec // below PerpsMax
		if !t.IsListed || p == nil {
			continue
		}
		dst = appendTextField(append(appendSep(dst), '{'), "market", p.Name)
		dst = appendAmountField(dst, "open_interest_long", risk.Amount{V: t.Long, Decimals: t.SizeDecimals})
		dst = appendAmountField(dst, "open_interest_short", risk.Amount{V: t.Short, Decimals: t.SizeDecimals})
		dst = appendUintField(dst, "holders", t.Holders)
		dst = append(appendKey(dst, "largest"), '[')
		for i := range t.LargestCount {
			h := &t.Largest[i]
			dst = appendTextField(append(appendSep(dst), '{'), "account", l.dir.AccountName(h.Account))
			dst = appendAmountField(dst, "size", risk.Amount{V: fixedpoint.I128(h.Size), Decimals: t.SizeDecimals})
			dst = append(appendAmountField(dst, "notional", risk.Amount{V: h.Notional, Decimals: t.Decimals}), '}')
		}
		dst = append(dst, ']', '}')
	}
	return append(dst, ']')
}
