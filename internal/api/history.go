package api

import (
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// poolHistory answers GET /v1/pools/{token}/history: what the pool stood at, hour by hour, from
// start to end (engine time, ms), oldest first, at most limit rows.
func (s *Server) poolHistory(ctx *fasthttp.RequestCtx, name, part []byte) {
	slot, ok := s.dir.lookup(nameToken, name)
	if !ok || string(part) != "history" {
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeNotFound, Message: "a pool that is listed has /history and nothing else below it",
		})
		return
	}
	startMs, endMs, limit := int64(0), int64(timeMsMax), int64(risk.RatesKept)
	for _, x := range []struct {
		name string
		at   *int64
		most int64
	}{{"start", &startMs, timeMsMax}, {"end", &endMs, timeMsMax}, {"limit", &limit, risk.RatesKept}} {
		text := ctx.QueryArgs().Peek(x.name)
		if len(text) == 0 {
			continue
		}
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || v < 0 || v > x.most {
			s.fail(ctx, &Error{
				Status: http.StatusBadRequest, Code: codeInvalidNumber, Field: x.name,
				Message: x.name + " takes an integer from 0 to " + strconv.FormatInt(x.most, 10) + ", not " + clipped(text),
			})
			return
		}
		*x.at = v
	}
	var rows []risk.PoolRate
	var decimals uint8
	seq, err := s.engine.Read(0, func(m *risk.Machine) {
		rows = m.ReadPoolRates(nil, slot, startMs, endMs, int(limit))
		decimals = m.TokenDecimals(slot)
	})
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	dst := appendUintField([]byte{'{'}, "seq", seq)
	dst = appendTextField(dst, "token", s.dir.TokenName(slot))
	dst = append(appendKey(dst, "history"), '[')
	for i := range rows {
		dst = appendPoolRate(appendSep(dst), &rows[i], decimals)
	}
	s.reply(ctx, http.StatusOK, append(dst, ']', '}'), seq)
}

func appendPoolRate(dst []byte, r *risk.PoolRate, decimals uint8) []byte {
	supply, borrow := r.Indices()
	dst = appendIntField(append(dst, '{'), "time", r.TimeMs)
	dst = appendAmountField(dst, "borrow_rate", rateOf(r.BorrowRateE12))
	dst = appendAmountField(dst, "supply_rate", rateOf(r.SupplyRateE12))
	dst = appendAmountField(dst, "total_supplied", risk.Amount{V: r.Supplied, Decimals: decimals})
	dst = appendAmountField(dst, "total_borrowed", risk.Amount{V: r.Borrowed, Decimals: decimals})
	dst = appendAmountField(dst, "supply_index", supply)
	return append(appendAmountField(dst, "borrow_index", borrow), '}')
}
