package api

import (
	"net/http"

	"plimsoll/risk"
)

// infoRequest is a body of POST /info.
type infoRequest struct {
	kind  []byte
	user  []byte
	coin  []byte
	dex   []byte
	token uint32
	id    uint32
	start int64 // of the time asked for, ms, with end
	end   int64
	has   mask
}

var infoRequired = maskOf(fieldType)

var infoFields = maskOf(fieldType, fieldUser, fieldCoin, fieldDex, fieldToken, fieldID, fieldStartTime,
	fieldEndTime, fieldAggregateByTime)

// decodeInfo reads a body of POST /info with the scanner of commands; the venue answers
// 422 for what it cannot read, and so does this.
func (d *Decoder) decodeInfo(body []byte, r *infoRequest) *Error {
	d.body, d.err, d.depth, d.text = body, nil, 0, d.text[:0]
	f := &d.frames[0]
	end := d.object(skipSpace(body, 0), f)
	if d.err == nil && skipSpace(body, end) != len(body) {
		d.failAt(end, "nothing may follow the end of the request")
	}
	if d.err == nil && d.checkFields(f, &infoRequired, &infoFields) {
		*r = infoRequest{has: f.seen, kind: d.str(f, fieldType)}
		r.user, r.coin, r.dex = d.infoText(f, fieldUser), d.infoText(f, fieldCoin), d.infoText(f, fieldDex)
		if f.seen.has(fieldToken) {
			r.token = uint32(d.integer(f, fieldToken, 1<<32-1))
		}
		if f.seen.has(fieldID) {
			r.id = uint32(d.integer(f, fieldID, 1<<32-1))
		}
		r.start, r.end = d.infoTime(f, fieldStartTime, 0), d.infoTime(f, fieldEndTime, timeMsMax)
	}
	if d.err != nil {
		d.err.Status = http.StatusUnprocessableEntity
	}
	return d.err
}

// infoText reads an optional string; null counts as absent.
func (d *Decoder) infoText(f *frame, id field) []byte {
	if !f.seen.has(id) || f.vals[id].kind == kindNull {
		return nil
	}
	return d.str(f, id)
}

// infoTime reads an optional time; null counts as absent.
func (d *Decoder) infoTime(f *frame, id field, otherwise int64) int64 {
	if !f.seen.has(id) || f.vals[id].kind == kindNull {
		return otherwise
	}
	return d.integer(f, id, timeMsMax)
}

// failInfo is how the venue refuses a type it does not know.
func failInfo(code, message, at string) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: code, Message: message, Field: at}
}

// infoReply writes the reply to a request of POST /info. Names, order of keys and digits
// are the venue's (spec 4.2).
func (s *Server) infoReply(dst []byte, r *infoRequest) (reply []byte, seq uint64, fault *Error) {
	if needsUser(r.kind) {
		return s.infoUser(dst, r)
	}
	if string(r.kind) == "fundingHistory" {
		return s.infoFundingHistory(dst, r)
	}
	l, err := s.readListing()
	if err != nil {
		return dst, 0, unavailable(err)
	}
	switch string(r.kind) {
	case "meta", "metaAndAssetCtxs":
		dex := l.dex(r.dex)
		if dex == nil {
			return dst, l.seq, failInfo(codeNotFound, "no such dex is listed", "dex")
		}
		if string(r.kind) == "meta" {
			dst = appendMeta(dst, l, dex)
		} else {
			dst = appendMetaAndCtxs(dst, l, dex)
		}
	case "allPerpMetas":
		dst = append(dst, '[')
		for _, dex := range l.sortedDexes() {
			dst = appendMeta(appendSep(dst), l, dex)
		}
		dst = append(dst, ']')
	case "perpDexs":
		dst = appendPerpDexs(dst, l)
	case "marginTable":
		table, ok := l.table(r.id)
		if !ok {
			return dst, l.seq, failInfo(codeNotFound, "no such margin table exists", "id")
		}
		dst = appendMarginTable(dst, &table)
	case "spotMeta":
		dst = appendSpotMeta(dst, l)
	case "spotMetaAndAssetCtxs":
		dst = appendSpotMeta(append(dst, '['), l)
		dst = append(appendSpotCtxs(append(dst, ','), l), ']')
	case "allMids":
		dst = appendAllMids(dst, l, r.dex)
	case "borrowLendReserveState":
		return s.infoReserve(dst, l, r)
	case "allBorrowLendReserveStates":
		dst = append(dst, '[')
		for i := range l.tokens {
			if t := &l.tokens[i]; t.HasPool {
				dst = appendUint(append(appendSep(dst), '['), t.Index)
				dst = append(appendReserve(append(dst, ','), t), ']')
			}
		}
		dst = append(dst, ']')
	case "liquidatable":
		return s.infoLiquidatable(dst, l)
	case "exchangeStatus":
		dst = appendIntField(append(dst, '{'), "time", l.timeMs)
		dst = append(appendKey(dst, "specialStatuses"), "null}"...)
	default:
		return dst, l.seq, failInfo(codeUnknownType, "there is no info request of type "+quoted(r.kind), "type")
	}
	return dst, l.seq, nil
}

// infoReserve answers for one token; the venue fails with 500 for one it does not know.
func (s *Server) infoReserve(dst []byte, l *listing, r *infoRequest) ([]byte, uint64, *Error) {
	for i := range l.tokens {
		if t := &l.tokens[i]; t.HasPool && t.Index == r.token {
			return appendReserve(dst, t), l.seq, nil
		}
	}
	e := failInfo(codeUnknownToken, "this token has no lending pool", "token")
	e.Status = http.StatusInternalServerError
	return dst, l.seq, e
}

// needsUser reports whether a type reads an account.
func needsUser(kind []byte) bool {
	switch string(kind) {
	case "clearinghouseState", "spotClearinghouseState", "borrowLendUserState", "userAbstraction",
		"activeAssetData", "openOrders", "frontendOpenOrders", "subAccounts",
		"userFunding", "userBorrowLendInterest", "userNonFundingLedgerUpdates":
		return true
	default:
		return false
	}
}

// infoUser answers the requests about one account, from one view of it. An account that
// nobody opened looks like an empty one, as on the venue.
func (s *Server) infoUser(dst []byte, r *infoRequest) (reply []byte, seq uint64, fault *Error) {
	if len(r.user) == 0 {
		return dst, 0, failInfo(codeMissingField, "user is missing", "user")
	}
	l, err := s.static()
	if err != nil {
		return dst, 0, unavailable(err)
	}
	slot := s.dir.Account(r.user)
	switch string(r.kind) {
	case "activeAssetData":
		return s.infoActiveAsset(dst, r, slot)
	case "userFunding", "userBorrowLendInterest", "userNonFundingLedgerUpdates":
		return s.infoUserHistory(dst, r, slot)
	}
	v := s.views.Get().(*risk.AccountView)
	defer s.views.Put(v)
	isOpen, seq, err := s.readAccount(slot, v)
	if err != nil {
		return dst, seq, unavailable(err)
	}
	if !isOpen {
		emptyAccount(v)
	}
	dex := l.dex(r.dex)
	if dex == nil {
		return dst, seq, failInfo(codeNotFound, "no such dex is listed", "dex")
	}
	switch string(r.kind) {
	case "clearinghouseState":
		dst = appendClearinghouse(dst, v, dex.Slot, s.dir)
	case "spotClearinghouseState":
		dst = appendSpotState(dst, v, l)
	case "borrowLendUserState":
		dst = appendBorrowLend(dst, v, l)
	case "userAbstraction":
		dst = appendText(dst, abstraction(v.Mode))
	case "openOrders", "frontendOpenOrders":
		dst = appendOpenOrders(dst, v, l, dex.Slot, string(r.kind) != "openOrders")
	case "subAccounts":
		return s.appendSubAccounts(dst, slot, l)
	}
	return dst, seq, nil
}

// abstraction returns the venue's word for a mode.
func abstraction(m risk.Mode) string {
	switch m {
	case risk.ModeUnified:
		return "unifiedAccount"
	case risk.ModePortfolio:
		return "portfolioMargin"
	case risk.ModeStandard:
		return "disabled"
	default:
		return "default"
	}
}

// emptyAccount makes v the view of an account without anything.
func emptyAccount(v *risk.AccountView) {
	timeMs := v.TimeMs
	*v = risk.AccountView{
		Account: risk.NoAccount, Master: risk.NoAccount, TimeMs: timeMs,
		Balances: v.Balances[:0], Dexes: v.Dexes[:0], Positions: v.Positions[:0], Orders: v.Orders[:0],
	}
}

func (s *Server) infoActiveAsset(dst []byte, r *infoRequest, slot uint32) ([]byte, uint64, *Error) {
	perp, ok := s.dir.lookup(namePerp, r.coin)
	if !ok {
		return dst, 0, failInfo("unknown_market", "no perp "+quoted(r.coin)+" is listed", "coin")
	}
	var v risk.ActiveAssetView
	var isListed bool
	seq, err := s.engine.Read(slot, func(m *risk.Machine) { isListed = m.ReadActiveAsset(slot, perp, &v) })
	if err != nil {
		return dst, seq, unavailable(err)
	}
	if !isListed {
		return dst, seq, failInfo("unknown_market", "no perp "+quoted(r.coin)+" is listed", "coin")
	}
	return appendActiveAsset(dst, r, &v), seq, nil
}

// appendSubAccounts writes the accounts opened under a master, or null.
func (s *Server) appendSubAccounts(dst []byte, master uint32, l *listing) ([]byte, uint64, *Error) {
	seq := l.seq
	subs := s.dir.Subs(master)
	if len(subs) == 0 {
		return append(dst, "null"...), seq, nil
	}
	v := s.views.Get().(*risk.AccountView)
	defer s.views.Put(v)
	dst = append(dst, '[')
	for _, slot := range subs {
		isOpen, at, err := s.readAccount(slot, v)
		if err != nil {
			return dst, at, unavailable(err)
		}
		if !isOpen || v.Master != master {
			continue
		}
		seq = at
		name := s.dir.AccountName(slot)
		dst = appendTextField(append(appendSep(dst), '{'), "name", name)
		dst = appendTextField(dst, "subAccountUser", name)
		dst = appendTextField(dst, "master", s.dir.AccountName(master))
		dst = appendClearinghouse(appendKey(dst, "clearinghouseState"), v, 0, s.dir)
		dst = append(appendSpotState(appendKey(dst, "spotState"), v, l), '}')
	}
	return append(dst, ']'), seq, nil
}
