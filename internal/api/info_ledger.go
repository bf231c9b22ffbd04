package api

import (
	"slices"

	"plimsoll/risk"
)

// appendUserLedger writes userNonFundingLedgerUpdates, oldest first. The rows come newest first.
func (s *Server) appendUserLedger(dst []byte, rows []risk.LedgerEntry, r *infoRequest, l *listing, slot uint32) []byte {
	slices.Reverse(rows)
	w := ledgerWriter{s: s, l: l, slot: slot, account: s.dir.AccountName(slot)}
	dst = append(dst, '[')
	left := historyRowsMax
	for i := 0; i < len(rows); {
		n := 1
		if rows[i].Kind == risk.RecordLiquidation { // what a Seq takes is one row
			for i+n < len(rows) && rows[i+n].Kind == risk.RecordLiquidation && rows[i+n].Seq == rows[i].Seq {
				n++
			}
		}
		group := rows[i : i+n]
		i += n
		for j := range group {
			if group[j].Event == risk.EventLiquidationStarted {
				w.value = group[j].Amount
			}
		}
		if !r.isAsked(group[0].TimeMs) || left == 0 {
			continue
		}
		before := len(dst)
		if dst = w.row(dst, group); len(dst) > before {
			left--
		}
	}
	return append(dst, ']')
}

// ledgerWriter writes the rows of one account.
type ledgerWriter struct {
	s       *Server
	l       *listing
	slot    uint32
	account []byte
	value   risk.Amount // of the account when its last liquidation began
}

// row writes one row, or nothing for what the venue has no row of.
func (w *ledgerWriter) row(dst []byte, group []risk.LedgerEntry) []byte {
	e := &group[0]
	switch e.Kind {
	case risk.RecordDeposit, risk.RecordWithdraw:
		return w.external(dst, e)
	case risk.RecordSent, risk.RecordReceived:
		return w.transfer(dst, e)
	case risk.RecordSupplied:
		return w.lending(dst, e, "supply")
	case risk.RecordUnsupplied:
		return w.lending(dst, e, "withdraw")
	case risk.RecordBorrowed:
		return w.lending(dst, e, "borrow")
	case risk.RecordRepaid:
		return w.lending(dst, e, "repay")
	case risk.RecordLiquidation:
		return w.liquidation(dst, group)
	case risk.RecordFunding, risk.RecordInterest:
	}
	return dst
}

// isDollar reports whether a token is the one that the venue calls usdc in its ledger.
func (w *ledgerWriter) isDollar(token uint32) bool { return w.l.token(token).Index == 0 }

// isFamily reports whether another account is the master of this one, or a sub-account of it.
func (w *ledgerWriter) isFamily(other uint32) bool {
	return slices.Contains(w.s.dir.Subs(w.slot), other) || slices.Contains(w.s.dir.Subs(other), w.slot)
}

// external writes what came from outside or left; other tokens than the dollar come from, and go
// to, the system address of the token.
func (w *ledgerWriter) external(dst []byte, e *risk.LedgerEntry) []byte {
	isIn := e.Kind == risk.RecordDeposit
	system := append([]byte("0x20"), noHash[4:4+30]...)
	system = appendHex(system, uint64(w.l.token(e.Token).Index), 8)
	switch {
	case !w.isDollar(e.Token) && isIn:
		return w.spot(dst, e, system, w.account)
	case !w.isDollar(e.Token):
		return w.spot(dst, e, w.account, system)
	case isIn:
		dst = appendAmountField(appendLedgerHead(dst, e, "deposit"), "usdc", e.Amount)
	default:
		dst = appendAmountField(appendLedgerHead(dst, e, "withdraw"), "usdc", e.Amount)
		dst = append(appendKey(appendNonce(dst, e), "fee"), `"0.0"`...)
	}
	return append(dst, '}', '}')
}

// transfer writes what went to another account or another wallet of this one.
func (w *ledgerWriter) transfer(dst []byte, e *risk.LedgerEntry) []byte {
	other := w.s.dir.AccountName(e.Other)
	from, to := w.account, other
	if e.Kind == risk.RecordReceived {
		from, to = to, from
	}
	isWithin := e.Other == w.slot
	switch {
	case isWithin && uint32(max(e.Wallets[0], e.Wallets[1])) <= risk.WalletPerp && w.isDollar(e.Token):
		dst = appendAmountField(appendLedgerHead(dst, e, "accountClassTransfer"), "usdc", e.Amount)
		dst = appendBoolField(dst, "toPerp", uint32(e.Wallets[1]) != risk.WalletSpot)
	case isWithin:
		dst = appendTextField(appendLedgerHead(dst, e, "send"), "user", from)
		dst = appendTextField(dst, "destination", to)
		dst = appendTextField(dst, "sourceDex", w.wallet(e.Wallets[0]))
		dst = appendTextField(dst, "destinationDex", w.wallet(e.Wallets[1]))
		dst = appendTextField(dst, "token", w.l.token(e.Token).Name)
		dst = appendAmountField(dst, "amount", e.Amount)
		dst = appendAmountField(dst, "usdcValue", e.Second)
		dst = append(appendKey(dst, "fee"), `"0.0","nativeTokenFee":"0.0"`...)
		dst = append(appendKey(appendNonce(dst, e), "feeToken"), `""`...)
	case w.isDollar(e.Token) && w.isFamily(e.Other):
		dst = appendAmountField(appendLedgerHead(dst, e, "subAccountTransfer"), "usdc", e.Amount)
		dst = appendTextField(dst, "user", from)
		dst = appendTextField(dst, "destination", to)
	case w.isDollar(e.Token):
		dst = appendAmountField(appendLedgerHead(dst, e, "internalTransfer"), "usdc", e.Amount)
		dst = appendTextField(dst, "user", from)
		dst = appendTextField(dst, "destination", to)
		dst = append(appendKey(dst, "fee"), `"0.0"`...)
	default:
		return w.spot(dst, e, from, to)
	}
	return append(dst, '}', '}')
}

// wallet returns the venue's word for a wallet: spot, or the name of a dex.
func (w *ledgerWriter) wallet(code uint16) []byte {
	switch {
	case uint32(code) == risk.WalletSpot:
		return []byte("spot")
	case uint32(code) < risk.WalletPerp:
		return nil
	}
	return w.s.dir.DexName(uint32(code) - risk.WalletPerp)
}

// spot writes a transfer of a token.
func (w *ledgerWriter) spot(dst []byte, e *risk.LedgerEntry, from, to []byte) []byte {
	dst = appendTextField(appendLedgerHead(dst, e, "spotTransfer"), "token", w.l.token(e.Token).Name)
	dst = appendAmountField(dst, "amount", e.Amount)
	dst = appendAmountField(dst, "usdcValue", e.Second)
	dst = appendTextField(dst, "user", from)
	dst = appendTextField(dst, "destination", to)
	return append(dst, `,"fee":"0.0","nativeTokenFee":"0.0","nonce":null,"feeToken":""}}`...)
}

// lending writes what was supplied, taken back, borrowed or repaid, and the interest that was
// settled with it.
func (w *ledgerWriter) lending(dst []byte, e *risk.LedgerEntry, operation string) []byte {
	interest := e.Interest
	if interest.V.Sign() < 0 {
		interest.V = interest.V.Neg()
	}
	dst = appendTextField(appendLedgerHead(dst, e, "borrowLend"), "token", w.l.token(e.Token).Name)
	dst = appendTextField(dst, "operation", operation)
	dst = appendAmountField(dst, "amount", e.Amount)
	return append(appendAmountField(dst, "interestAmount", interest), '}', '}')
}

// liquidation writes what a liquidation asked for or took in one Seq: positions in one row, and
// a row for each collateral.
func (w *ledgerWriter) liquidation(dst []byte, group []risk.LedgerEntry) []byte {
	var notional risk.Amount
	notional.Decimals = risk.SzDecimalsMax
	count, isIsolated := 0, true
	for i := range group {
		if e := &group[i]; isTaken(e) {
			size := e.Amount.V
			if size.Sign() < 0 {
				size = size.Neg()
			}
			if price, ok := e.Second.V.Int64(); ok {
				if worth, ok := size.MulInt64(price); ok {
					notional.V = notional.V.Add(worth)
				}
			}
			count++
			isIsolated = isIsolated && e.Rule == risk.RuleIsolatedMaintenance
		}
	}
	if count > 0 {
		dst = appendAmountField(appendLedgerHead(dst, &group[0], "liquidation"), "liquidatedNtlPos", notional)
		dst = appendAmountField(dst, "accountValue", w.value)
		kind := "Cross"
		if isIsolated {
			kind = "Isolated"
		}
		dst = append(appendKey(appendTextField(dst, "leverageType", kind), "liquidatedPositions"), '[')
		for i := range group {
			if e := &group[i]; isTaken(e) {
				size := e.Amount
				if e.Event == risk.EventLiquidationOrder { // the order is on the other side
					size.V = size.V.Neg()
				}
				dst = appendTextField(append(appendSep(dst), '{'), "coin", w.s.dir.MarketName(e.Market))
				dst = append(appendAmountField(dst, "szi", size), '}')
			}
		}
		dst = append(dst, ']', '}', '}')
	}
	for i := range group {
		if e := &group[i]; e.Event == risk.EventBackstopTakeover && e.Token != risk.NoSlot && e.Rule != risk.RuleNone {
			dst = w.lending(dst, e, "withdraw")
		}
	}
	return dst
}

// isTaken reports whether a record is of a position that is to be closed or is taken over.
func isTaken(e *risk.LedgerEntry) bool {
	return e.Market != risk.NoSlot && e.Token == risk.NoSlot &&
		(e.Event == risk.EventLiquidationOrder || e.Event == risk.EventBackstopTakeover)
}
