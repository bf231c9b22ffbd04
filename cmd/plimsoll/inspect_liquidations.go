package main

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/internal/api"
	"plimsoll/risk"
)

// judgement is a decision of a liquidation as inspect prints it.
type judgement struct {
	Kind        string `json:"kind"`
	Seq         uint64 `json:"seq"`
	N           uint32 `json:"n"`
	Time        int64  `json:"time"`
	Type        string `json:"type"`
	Account     string `json:"account"`
	Liquidation string `json:"liquidation,omitempty"`
	Against     string `json:"against,omitempty"`
	Market      string `json:"market,omitempty"`
	Token       string `json:"token,omitempty"`
	Size        string `json:"size,omitempty"` // signed
	Price       string `json:"price,omitempty"`
	Value       string `json:"liquidation_value,omitempty"`
	Requirement string `json:"requirement,omitempty"`
	Amount      string `json:"amount,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Line        string `json:"line,omitempty"` // the inequality that must hold
	Holds       bool   `json:"holds"`
}

// judged counts what was judged.
type judged struct {
	Kind        string `json:"kind"`
	Decisions   uint64 `json:"decisions"` // with figures of their own
	Orders      uint64 `json:"orders"`
	Takeovers   uint64 `json:"takeovers"`
	Deleveraged uint64 `json:"deleveraged"`
	Covered     uint64 `json:"losses_covered"` // by the buffer or by those deleveraged
	Wrong       uint64 `json:"wrong"`
}

// errWrong says that a decision does not follow from its own figures.
var errWrong = errors.New("decisions of liquidation do not hold")

// judge re-checks decisions of liquidations, in the order of their events. Each step says which
// line was passed, with both figures, and all that it brings about follows it in the same Seq.
type judge struct {
	inspector *inspector
	counts    judged
	seq       uint64
	steps     map[uint32][]risk.Rule // lines that accounts were past in this Seq
}

// liquidations replays a directory and judges each decision of a liquidation.
func (i *inspector) liquidations(p *past, after uint64) error {
	j := &judge{inspector: i, counts: judged{Kind: "judged"}}
	p.events = &eventPrinter{after: after, judge: j.event}
	if err := p.open(); err != nil {
		return err
	}
	c := &j.counts
	err := i.line(c, "judged: %s decisions, %s orders, %s takeovers, %s deleveraged, %s losses covered; %s wrong",
		countText(c.Decisions), countText(c.Orders),
		countText(c.Takeovers), countText(c.Deleveraged), countText(c.Covered), countText(c.Wrong))
	if err == nil && c.Wrong > 0 {
		return fmt.Errorf("%d of %d: %w", c.Wrong, c.Decisions+c.Orders+c.Takeovers+c.Deleveraged+c.Covered, errWrong)
	}
	return err
}

// event judges one event; what is no decision of a liquidation passes.
func (j *judge) event(e *risk.Event, names *api.Directory) error {
	if e.Seq != j.seq {
		j.seq, j.steps = e.Seq, map[uint32][]risk.Rule{}
	}
	x := newJudgement(e, names)
	switch c := &j.counts; e.Kind {
	case risk.EventLiquidationStarted, risk.EventLiquidationStep:
		c.Decisions++
		x.Line, x.Holds = lineText(e)
		if e.Kind == risk.EventLiquidationStep {
			j.steps[e.Account] = append(j.steps[e.Account], e.Rule)
		}
	case risk.EventLiquidationOrder:
		if e.Rule == risk.RuleBackstopTWAP {
			return nil // the liquidator sells what it took: nobody is past a line
		}
		c.Orders++
		x.follows(j.steps[e.Account], e.Rule)
	case risk.EventBackstopTakeover:
		c.Takeovers++
		x.follows(j.steps[e.Account], risk.RuleBackstop, risk.RulePartialBorrow, risk.RuleFullBorrow, risk.RulePortfolioRatio)
	case risk.EventADL:
		c.Deleveraged++
		x.follows(j.steps[uint32(e.OrderLo)], risk.RuleNegative) //nolint:gosec // a slot
	case risk.EventLossCovered:
		c.Covered++
		owner := e.Account
		if e.Rule == risk.RuleShared {
			owner = uint32(e.OrderLo) //nolint:gosec // a slot
		}
		x.follows(j.steps[owner], risk.RuleNegative)
	default:
		return nil
	}
	verdict := "holds"
	if !x.Holds {
		verdict = "WRONG"
		j.counts.Wrong++
	}
	return j.inspector.line(x, "seq %d.%d %s %-19s %-28s %s %s: %s",
		x.Seq, x.N, timeText(x.Time), x.Type, x.Account, x.figures(), x.Line, verdict)
}

func newJudgement(e *risk.Event, names *api.Directory) *judgement {
	x := &judgement{
		Kind: "decision", Seq: e.Seq, N: e.N, Time: e.TimeMs, Type: e.Kind.String(), Account: string(names.AccountName(e.Account)),
		Market: string(names.MarketName(e.Market)), Token: string(names.TokenName(e.Token)),
	}
	if e.OrderForm != risk.FormNone {
		x.Liquidation = strconv.FormatUint(e.OrderLo, 10)
	} else if e.Kind == risk.EventADL || e.Rule == risk.RuleShared {
		x.Against = string(names.AccountName(uint32(e.OrderLo))) //nolint:gosec // a slot
	}
	if e.Rule != risk.RuleNone {
		x.Reason = e.Rule.String()
	}
	amount := decimal128(e.Amount, e.Decimals)
	switch {
	case e.Kind == risk.EventLiquidationStarted || e.Kind == risk.EventLiquidationStep:
		x.Value, x.Requirement = amount, decimal128(e.Amount2, e.Decimals)
	case x.Token == "":
		x.Size, x.Price = amount, decimal128(e.Amount2, risk.SzDecimalsMax-e.Decimals)
	default:
		x.Amount = amount
	}
	return x
}

func decimal128(v fixedpoint.Int128, decimals uint8) string {
	return string(fixedpoint.AppendDecimal128(nil, v, decimals))
}

// follows wants that the account was told to be past one of some lines, in the same Seq.
func (x *judgement) follows(steps []risk.Rule, allowed ...risk.Rule) {
	for _, s := range steps {
		if slices.Contains(allowed, s) {
			x.Line, x.Holds = "follows from "+s.String(), true
			return
		}
	}
	x.Line = "follows from nothing"
}

// figures returns what changes hands, for people.
func (x *judgement) figures() string {
	switch {
	case x.Size != "":
		return x.Size + " " + x.Market + " @ " + x.Price
	case x.Amount != "":
		return x.Amount + " " + x.Token
	default:
		return x.Token + " " + x.Market
	}
}

// lineText returns the inequality of an event's figures and whether it holds. It is computed
// here anew, in whole numbers of any size, from the table of docs/MODEL.md §7.
func lineText(e *risk.Event) (text string, holds bool) {
	value, requirement := bigOf(e.Amount), bigOf(e.Amount2)
	left, right := int64(1), int64(1)
	switch e.Rule {
	case risk.RuleMaintenance, risk.RuleIsolatedMaintenance, risk.RulePartialBorrow, risk.RuleFullBorrow:
	case risk.RulePortfolioRatio:
		left, right = 95, 100
		if value.Sign() <= 0 {
			return decimal128(e.Amount, e.Decimals) + " <= 0 < " + decimal128(e.Amount2, e.Decimals), requirement.Sign() > 0
		}
	case risk.RuleBackstop:
		left, right = 3, 2
	case risk.RuleNegative:
		return decimal128(e.Amount, e.Decimals) + " < 0", value.Sign() < 0
	default:
		return "no line", false
	}
	text = fmt.Sprintf("%s%s < %s%s", factor(left), decimal128(e.Amount, e.Decimals), factor(right), decimal128(e.Amount2, e.Decimals))
	return text, value.Mul(value, big.NewInt(left)).Cmp(requirement.Mul(requirement, big.NewInt(right))) < 0
}

func factor(n int64) string {
	if n == 1 {
		return ""
	}
	return strconv.FormatInt(n, 10) + " x "
}

func bigOf(v fixedpoint.Int128) *big.Int {
	b := big.NewInt(v.Hi)
	return b.Add(b.Lsh(b, 64), new(big.Int).SetUint64(v.Lo))
}
