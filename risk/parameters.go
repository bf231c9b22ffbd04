package risk

// OffsetMode says how min_borrow_offset enters the portfolio margin requirement.
type OffsetMode uint8

// Offset modes (spec decision 8.1).
const (
	OffsetNone  OffsetMode = 0 // as the venue reports
	OffsetAdd   OffsetMode = 1 // as the venue documents
	OffsetFloor OffsetMode = 2 // max(offset, maintenance margin)
)

// Parameters are the named decisions of MODEL.md §9, changed by set_parameters.
type Parameters struct {
	OffsetMode        OffsetMode
	OrderMarginBasis  uint8 // 0 remaining size, 1 original size
	HLCompat          bool  // original order size in requirements, as the venue
	RebalanceHourly   bool
	MaxClockStepMs    int64
	MinBorrowOffsetE8 int64  // US dollars at 1e-8
	NoLiquidation     bool   // lines are told, nothing is liquidated
	BackstopAccount   uint32 // takes over what the market does not; NoAccount = none
	BackstopTWAP      bool   // and sells it again, half of what is left in ten minutes
	BackstopCrossOnly bool   // on dexes other than the main one it takes cross-enabled perps only
	BackstopLimitE8   int64  // US dollars at 1e-8 that it takes within one Seq; 0 = any
}

// DefaultParameters returns the documented defaults.
func DefaultParameters() Parameters {
	return Parameters{MaxClockStepMs: MaxClockStepMsDefault, MinBorrowOffsetE8: 20 * 100_000_000, BackstopAccount: NoAccount}
}

// usesOriginalSize reports whether order margin counts the size an order started with.
func (p *Parameters) usesOriginalSize() bool { return p.HLCompat || p.OrderMarginBasis == 1 }

// Bits of Command.Aux of a KindSetParameters record.
const (
	ParamOffsetMode       = 1 << 0
	ParamHLCompat         = 1 << 1
	ParamOrderMarginBasis = 1 << 2
	ParamRebalanceHourly  = 1 << 3
	ParamMaxClockStep     = 1 << 4
	ParamMinBorrowOffset  = 1 << 5
	ParamBackstopAccount  = 1 << 6 // Ref[RefAccount]; NoAccount = none
	ParamLiquidation      = 1 << 7
	ParamHLCompatValue    = 1 << 8
	ParamOriginalSize     = 1 << 9
	ParamHourlyValue      = 1 << 10
	ParamLiquidationValue = 1 << 11 // on
	ParamBackstopTWAP     = 1 << 12
	ParamTWAPValue        = 1 << 13
	ParamBackstopCross    = 1 << 14
	ParamCrossValue       = 1 << 15 // cross-enabled perps only
	ParamBackstopLimit    = 1 << 16 // Num[2]
)

// setParameters applies a KindSetParameters record.
func (m *Machine) setParameters(c *Command) Reason {
	p := m.params
	if c.Aux&ParamOffsetMode != 0 {
		if c.Mode > uint8(OffsetFloor) {
			return ReasonInvalidListing
		}
		p.OffsetMode = OffsetMode(c.Mode)
	}
	if c.Aux&ParamHLCompat != 0 {
		p.HLCompat = c.Aux&ParamHLCompatValue != 0
	}
	if c.Aux&ParamOrderMarginBasis != 0 {
		p.OrderMarginBasis = 0
		if c.Aux&ParamOriginalSize != 0 {
			p.OrderMarginBasis = 1
		}
	}
	if c.Aux&ParamRebalanceHourly != 0 {
		p.RebalanceHourly = c.Aux&ParamHourlyValue != 0
	}
	if c.Aux&ParamMaxClockStep != 0 {
		if c.Num[0] <= 0 || c.Dec[0] != 0 {
			return m.refuseField(ReasonInvalidAmount, 0)
		}
		p.MaxClockStepMs = c.Num[0]
	}
	if c.Aux&ParamMinBorrowOffset != 0 {
		v, ok := rescale(c, 1, 8)
		if !ok || v < 0 {
			return m.refuseField(ReasonInvalidAmount, 1)
		}
		p.MinBorrowOffsetE8 = v
	}
	if reason := m.setBackstop(c, &p); reason != ReasonNone {
		return reason
	}
	if p != m.params {
		if p.BackstopAccount != m.params.BackstopAccount || !p.BackstopTWAP {
			m.dropSale()
		}
		isWatchChanged := p.NoLiquidation != m.params.NoLiquidation || p.BackstopAccount != m.params.BackstopAccount
		m.pass.isStale = m.pass.isStale || p.OffsetMode != m.params.OffsetMode // there and back again counts
		m.params = p
		m.rebandAll()
		if isWatchChanged {
			m.watchAll()
		}
	}
	return ReasonNone
}

// setBackstop reads what a record says of liquidation and the liquidator.
func (m *Machine) setBackstop(c *Command, p *Parameters) Reason {
	if c.Aux&ParamLiquidation != 0 {
		p.NoLiquidation = c.Aux&ParamLiquidationValue == 0
	}
	if c.Aux&ParamBackstopAccount != 0 {
		if c.Account() != NoAccount && !m.exists(c.Account()) {
			return ReasonUnknownAccount
		}
		p.BackstopAccount = c.Account()
	}
	if c.Aux&ParamBackstopTWAP != 0 {
		p.BackstopTWAP = c.Aux&ParamTWAPValue != 0
	}
	if c.Aux&ParamBackstopCross != 0 {
		p.BackstopCrossOnly = c.Aux&ParamCrossValue != 0
	}
	if c.Aux&ParamBackstopLimit != 0 {
		v, ok := rescale(c, 2, 8)
		if !ok || v < 0 {
			return m.refuseField(ReasonInvalidAmount, 2)
		}
		p.BackstopLimitE8 = v
	}
	return ReasonNone
}
