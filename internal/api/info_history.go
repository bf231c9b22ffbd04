package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// historyRowsMax is how many rows the venue gives at once, the oldest of the time asked for: who
// wants more asks again from the last one's time on.
const historyRowsMax = 500

// noHash stands where the venue names a transaction and there is none.
const noHash = "0x0000000000000000000000000000000000000000000000000000000000000000"

// infoFundingHistory answers fundingHistory. The premium is not known here: a funding command
// carries the rate alone, and "0.0" stands in its place.
func (s *Server) infoFundingHistory(dst []byte, r *infoRequest) ([]byte, uint64, *Error) {
	perp, ok := s.dir.lookup(namePerp, r.coin)
	if !ok {
		e := failInfo("unknown_market", "no perp "+quoted(r.coin)+" is listed", "coin")
		e.Status = http.StatusInternalServerError
		return dst, 0, e
	}
	var rows []risk.FundingRate
	seq, err := s.engine.Read(0, func(m *risk.Machine) {
		rows = m.ReadFundingRates(nil, perp, r.start, r.end, historyRowsMax)
	})
	if err != nil {
		return dst, seq, unavailable(err)
	}
	coin := s.dir.MarketName(perp)
	dst = append(dst, '[')
	for i := range rows {
		dst = appendTextField(append(appendSep(dst), '{'), "coin", coin)
		dst = appendAmountField(dst, "fundingRate", rateOf(rows[i].RateE12))
		dst = append(appendKey(dst, "premium"), `"0.0"`...)
		dst = append(appendIntField(dst, "time", rows[i].TimeMs), '}')
	}
	return append(dst, ']'), seq, nil
}

func rateOf(rateE12 int64) risk.Amount { return risk.Amount{V: fixedpoint.I128(rateE12), Decimals: 12} }

// infoUserHistory answers the requests about an account's past. An account that nobody opened
// has none.
func (s *Server) infoUserHistory(dst []byte, r *infoRequest, slot uint32) ([]byte, uint64, *Error) {
	l, err := s.static()
	if err != nil {
		return dst, 0, unavailable(err)
	}
	var funding []risk.FundingPayment
	var interest []risk.InterestPart
	var ledger []risk.LedgerEntry
	seq, err := s.engine.Read(slot, func(m *risk.Machine) {
		switch string(r.kind) {
		case "userFunding":
			funding = m.ReadFunding(slot, nil)
		case "userBorrowLendInterest":
			interest = m.ReadInterest(slot, nil)
		default:
			ledger = m.ReadLedger(slot, nil)
		}
	})
	if err != nil {
		return dst, seq, unavailable(err)
	}
	switch string(r.kind) {
	case "userFunding":
		return s.appendUserFunding(dst, funding, r), seq, nil
	case "userBorrowLendInterest":
		return appendUserInterest(dst, interest, r, l), seq, nil
	default:
		return s.appendUserLedger(dst, ledger, r, l, slot), seq, nil
	}
}

// isAsked reports whether a time is within what a request asks for.
func (r *infoRequest) isAsked(timeMs int64) bool { return timeMs >= r.start && timeMs <= r.end }

// appendUserFunding writes userFunding, oldest first. What is paid is below zero.
func (s *Server) appendUserFunding(dst []byte, rows []risk.FundingPayment, r *infoRequest) []byte {
	slices.SortFunc(rows, func(a, b risk.FundingPayment) int {
		return cmp.Or(cmp.Compare(a.TimeMs, b.TimeMs), cmp.Compare(a.Perp, b.Perp))
	})
	dst = append(dst, '[')
	left := historyRowsMax
	for i := range rows {
		x := &rows[i]
		if !r.isAsked(x.TimeMs) || left == 0 {
			continue
		}
		left--
		dst = appendIntField(append(appendSep(dst), '{'), "time", x.TimeMs)
		dst = appendTextField(dst, "hash", noHash)
		dst = appendTextField(append(appendKey(dst, "delta"), '{'), "type", "funding")
		dst = appendTextField(dst, "coin", s.dir.MarketName(x.Perp))
		dst = appendAmountField(dst, "usdc", x.Amount)
		dst = appendAmountField(dst, "szi", x.Size)
		dst = appendAmountField(dst, "fundingRate", rateOf(x.RateE12))
		dst = append(appendNullField(dst, "nSamples"), '}', '}')
	}
	return append(dst, ']')
}

// appendUserInterest writes userBorrowLendInterest: a row an hour and token, oldest first.
func appendUserInterest(dst []byte, parts []risk.InterestPart, r *infoRequest, l *listing) []byte {
	slices.SortFunc(parts, func(a, b risk.InterestPart) int {
		return cmp.Or(cmp.Compare(a.HourMs, b.HourMs), cmp.Compare(a.Token, b.Token))
	})
	dst = append(dst, '[')
	left := historyRowsMax
	for i := 0; i < len(parts); {
		at := &parts[i]
		borrow, supply := risk.Amount{Decimals: at.Amount.Decimals}, risk.Amount{Decimals: at.Amount.Decimals}
		for ; i < len(parts) && parts[i].HourMs == at.HourMs && parts[i].Token == at.Token; i++ {
			if v := parts[i].Amount.V; v.Sign() < 0 {
				borrow.V = borrow.V.Sub(v)
			} else {
				supply.V = supply.V.Add(v)
			}
		}
		if !r.isAsked(at.HourMs) || left == 0 {
			continue
		}
		left--
		dst = appendIntField(append(appendSep(dst), '{'), "time", at.HourMs)
		dst = appendTextField(dst, "token", l.token(at.Token).Name)
		dst = appendAmountField(dst, "borrow", borrow)
		dst = append(appendAmountField(dst, "supply", supply), '}')
	}
	return append(dst, ']')
}

// appendLedgerHead begins a row of a ledger; its hash is the Seq.
func appendLedgerHead(dst []byte, e *risk.LedgerEntry, kind string) []byte {
	dst = appendIntField(append(appendSep(dst), '{'), "time", e.TimeMs)
	dst = append(appendKey(dst, "hash"), '"')
	dst = append(dst, noHash[:2+48]...)
	dst = append(appendHex(dst, e.Seq, 16), '"')
	return appendTextField(append(appendKey(dst, "delta"), '{'), "type", kind)
}

// appendNonce writes the Seq of a row as its nonce.
func appendNonce(dst []byte, e *risk.LedgerEntry) []byte {
	return strconv.AppendUint(appendKey(dst, "nonce"), e.Seq, 10)
}
