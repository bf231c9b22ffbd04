package risktest

import (
	"fmt"
	"strings"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// words tells an event in one line; "" for what is not worth one.
func (s *scenario) words(e *risk.Event) string {
	who := s.account(e.Account)
	amount := func() string { return grouped(risk.Amount{V: e.Amount, Decimals: e.Decimals}) + " " + s.token(e.Token) }
	second := func() string { return grouped(risk.Amount{V: e.Amount2, Decimals: e.Decimals}) }
	switch e.Kind {
	case risk.EventResult:
		return s.answerWords(e)
	case risk.EventHealthChanged:
		return fmt.Sprintf("%s is %v (was %v)%s", who, e.To, e.From, s.figureWords(e))
	case risk.EventLendingHealthChanged:
		return fmt.Sprintf("%s: borrows are %s (were %s)", who, lendingNames[e.ToLending], lendingNames[e.FromLending])
	case risk.EventBorrowed, risk.EventRepaid, risk.EventSupplied, risk.EventUnsupplied:
		if s.quiet {
			return ""
		}
		return fmt.Sprintf("%s %s %s, now %s", who, e.Kind, amount(), second())
	case risk.EventCapReached:
		return fmt.Sprintf("%s is short of %s: a cap, or the pool is dry", who, amount())
	case risk.EventOrderReleased:
		return fmt.Sprintf("%s: order %d of %s %s is cancelled", who, e.OrderLo, s.size(e), s.market(e.Market))
	case risk.EventInterest, risk.EventFunding, risk.EventModeChanged, risk.EventHalted, risk.EventResumed:
		return ""
	default:
		return s.liquidationWords(e, who, amount, second)
	}
}

func (s *scenario) liquidationWords(e *risk.Event, who string, amount, second func() string) string {
	switch e.Kind { //nolint:exhaustive // the rest is told by words
	case risk.EventLiquidationStarted:
		return fmt.Sprintf("%s: liquidation starts, %s%s: %s against %s", who, s.of(e.Market), ruleWords(e.Rule), amount(), second())
	case risk.EventLiquidationStep:
		return fmt.Sprintf("%s: %s%s: %s against %s", who, s.of(e.Market), ruleWords(e.Rule), amount(), second())
	case risk.EventLiquidationOrder:
		if e.Rule == risk.RuleBackstopTWAP {
			left := risk.Amount{V: fixedpoint.I128(int64(e.OrderHi)), Decimals: e.Decimals}
			return fmt.Sprintf("%s: to sell: %s %s of %s", who, s.size(e), s.market(e.Market), grouped(left))
		}
		return fmt.Sprintf("%s: to the book: %s %s", who, s.size(e), s.market(e.Market))
	case risk.EventLiquidationEnded:
		return fmt.Sprintf("%s: liquidation ends", who)
	case risk.EventBackstopTakeover:
		if e.Token == risk.NoSlot {
			return fmt.Sprintf("%s: the liquidator takes %s %s", who, s.size(e), s.market(e.Market))
		}
		return fmt.Sprintf("%s: the liquidator takes %s", who, amount())
	case risk.EventADL:
		price := risk.Amount{V: e.Amount2, Decimals: risk.SzDecimalsMax - e.Decimals}
		return fmt.Sprintf("%s is deleveraged: %s %s at %s against %s", who, s.size(e), s.market(e.Market), grouped(price),
			s.account(uint32(e.OrderLo)))
	case risk.EventLossCovered:
		if e.Rule == risk.RuleBackstop {
			return fmt.Sprintf("%s: %s of a loss of %s, paid by the liquidator", who, amount(), second())
		}
		return fmt.Sprintf("%s: %s of a loss of %s, paid by %s", who, amount(), second(), ruleWords(e.Rule))
	default: // of a price: it is stale, or fresh again
		if e.Account == risk.NoAccount && e.Market != risk.NoSlot {
			who = s.market(e.Market)
		} else if e.Account == risk.NoAccount {
			who = s.token(e.Token)
		}
		return fmt.Sprintf("%s: %v", who, e.Kind)
	}
}

var lendingNames = [...]string{"healthy", "at_risk", "past the partial threshold", "past the full threshold"}

// ruleWords names a rule as people say it.
func ruleWords(r risk.Rule) string {
	switch r { //nolint:exhaustive // those of liquidation
	case risk.RuleMaintenance, risk.RuleIsolatedMaintenance:
		return "equity below maintenance margin"
	case risk.RulePortfolioRatio:
		return "requirement above 95 % of value"
	case risk.RuleBackstop:
		return "equity below two thirds of maintenance margin"
	case risk.RulePartialBorrow:
		return "debt past the partial threshold"
	case risk.RuleFullBorrow:
		return "debt past the full threshold"
	case risk.RuleNegative:
		return "equity below zero"
	case risk.RuleBuffer:
		return "the buffer"
	case risk.RuleShared:
		return "those closed against"
	default:
		return r.String()
	}
}

// figureWords tells the figures of a health_changed event, in stories that ask for them.
func (s *scenario) figureWords(e *risk.Event) string {
	if !s.figures {
		return ""
	}
	ratio := func(r risk.Amount) string {
		if r.IsNull {
			return "infinite"
		}
		return grouped(r)
	}
	of := ""
	if e.Market != risk.NoSlot {
		of = s.market(e.Market) + " isolated, "
	}
	text := fmt.Sprintf(": %srequirement %s, value %s %s, ratio %s", of, grouped(risk.Amount{V: e.Amount2, Decimals: e.Decimals}),
		grouped(risk.Amount{V: e.Amount, Decimals: e.Decimals}), s.token(e.Token), ratio(risk.RatioOf(e.Amount2, e.Amount)))
	if before, isThere := e.RatioBefore(); isThere {
		text += " (was " + ratio(before) + ")"
	}
	return text
}

// answerWords tells an answer only where it refuses or adds something.
func (s *scenario) answerWords(e *risk.Event) string {
	switch {
	case e.Reason != risk.ReasonNone && e.Flags&risk.EventHasAmounts != 0:
		return fmt.Sprintf("refused: %v (needs %s, has %s)", e.Reason, grouped(risk.Amount{V: e.Amount, Decimals: e.Decimals}),
			grouped(risk.Amount{V: e.Amount2, Decimals: e.Decimals}))
	case e.Reason != risk.ReasonNone:
		return fmt.Sprintf("refused: %v", e.Reason)
	case e.Flags&risk.EventUnknownLiquidation != 0:
		return "note: that liquidation is not under way"
	default:
		return ""
	}
}

func (s *scenario) account(slot uint32) string {
	if int(slot) < len(s.names.accounts) {
		return s.names.accounts[slot]
	}
	return "nobody"
}

func (s *scenario) token(slot uint32) string {
	if int(slot) < len(s.names.tokens) {
		return s.names.tokens[slot]
	}
	return "?"
}

func (s *scenario) market(slot uint32) string {
	if i := int(slot &^ risk.SpotBit); slot&risk.SpotBit != 0 && i < len(s.names.spots) {
		return s.names.spots[i]
	}
	if int(slot) < len(s.names.perps) {
		return s.names.perps[slot]
	}
	return "?"
}

// of names the market of a line, if it has one.
func (s *scenario) of(market uint32) string {
	if market == risk.NoSlot {
		return ""
	}
	return s.market(market) + " isolated, "
}

// size tells a signed size.
func (s *scenario) size(e *risk.Event) string {
	text := grouped(risk.Amount{V: e.Amount, Decimals: e.Decimals})
	if e.Amount.Sign() > 0 && e.Kind != risk.EventOrderReleased {
		return "+" + text
	}
	return text
}

// grouped prints an amount with commas, zeros at its end cut.
func grouped(a risk.Amount) string {
	if a.IsNull {
		return "none"
	}
	text := Text(a)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, frac, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if frac = strings.TrimRight(frac, "0"); frac != "" {
		whole += "." + frac
	}
	return sign + whole
}

// show prints an account: figures in one line, then what it holds.
func (s *scenario) show(slot uint32) {
	var v risk.AccountView
	if !s.sets[0].ReadAccount(slot, &v) {
		fmt.Fprintln(&s.out, "no such account")
		return
	}
	m := &v.Margin
	ratio := grouped(m.PortfolioMarginRatio)
	if m.RatioIsInfinite {
		ratio = "infinite"
	}
	fmt.Fprintf(&s.out, "%s: %v, N %s, MM %s, B %s, LC %s, ratio %s, available %s\n", s.account(slot), m.Health, grouped(m.NetBalance),
		grouped(m.MaintenanceMargin), grouped(m.BorrowedForMaintenance), grouped(m.CollateralLiquidation), ratio, grouped(m.Available))
	for _, p := range v.Positions {
		if p.Size.V.Sign() != 0 {
			kind := "cross"
			if p.IsIsolated {
				kind = "isolated"
			}
			fmt.Fprintf(&s.out, "  %s %s, %s, worth %s, margin %s, maintenance %s\n", grouped(p.Size), s.market(p.Perp), kind,
				grouped(p.PositionValue), grouped(p.MarginUsed), grouped(p.MaintenanceMargin))
		}
	}
	for _, b := range v.Balances {
		if b.Total.V.Sign() == 0 && b.Supplied.V.Sign() == 0 && b.Borrowed.V.Sign() == 0 {
			continue
		}
		fmt.Fprintf(&s.out, "  %s %s, lent %s, owed %s\n", grouped(b.Total), s.token(b.Token), grouped(b.Supplied), grouped(b.Borrowed))
	}
}

// pool prints a token's lending pool.
func (s *scenario) pool(slot uint32) {
	for _, t := range s.sets[0].Machines[0].ReadTokens(s.sets[0].Totals()) {
		if t.Slot == slot && t.HasPool {
			p := &t.Pool
			fmt.Fprintf(&s.out, "pool of %s: lent %s, owed %s, buffer %s, can leave %s\n", t.Name, grouped(p.TotalSupplied),
				grouped(p.TotalBorrowed), grouped(p.Buffer), grouped(p.Balance))
		}
	}
}

// ledger prints whether everything that came in is somewhere.
func (s *scenario) ledger() {
	var off fixedpoint.Int128
	for _, id := range s.sets[0].Machines[0].ReadIdentities() {
		d := id.External.Sub(id.Held)
		if d.Sign() != 0 {
			off = d
		}
	}
	if off.Sign() != 0 {
		fmt.Fprintf(&s.out, "the ledger is off by %v\n", off)
		return
	}
	fmt.Fprintln(&s.out, "the ledger is exact")
}
