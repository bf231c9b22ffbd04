package risk

// LiquidationStage is how far an account's liquidation is.
type LiquidationStage uint8

// Stages of a liquidation.
const (
	LiquidationNone     LiquidationStage = iota // not under way
	LiquidationPending                          // begun, not told yet: no tick since, or a price is stale
	LiquidationOrders                           // orders to the market
	LiquidationCooldown                         // a part was sent within 30 seconds: what follows is for whole positions
	LiquidationBorrows                          // collateral was taken within 3 seconds, the next step follows
	LiquidationBackstop                         // past the backstop line: the liquidator takes over
	liquidationStageCount
)

var liquidationStageNames = [liquidationStageCount]string{"", "pending", "orders", "cooldown", "borrows", "backstop"}

// String returns the stage of the HTTP contract, "" for none.
func (s LiquidationStage) String() string {
	if s < liquidationStageCount {
		return liquidationStageNames[s]
	}
	return ""
}

// LiquidationView is an account's liquidation. All is zero when none is under way.
type LiquidationView struct {
	Stage   LiquidationStage
	Number  uint64 // what its orders and fills are known by
	SinceMs int64  // engine time at which it began
	NextMs  int64  // engine time at which it is due again by itself; 0 = with the next tick or clock
}

// liquidationView reads the record of an account.
func (m *Machine) liquidationView(slot uint32, a *account) LiquidationView {
	l := m.liquidationOf(a)
	if l == nil {
		return LiquidationView{}
	}
	v := LiquidationView{Stage: LiquidationOrders, Number: l.number, SinceMs: l.sinceMs, NextMs: l.nextMs}
	switch {
	case !l.isTold:
		v.Stage = LiquidationPending
	case m.hot[slot/m.cfg.Shards].health() == HealthBackstop:
		v.Stage = LiquidationBackstop
	case l.stepMs > 0 && m.timeMs-l.stepMs < liquidationStepMs:
		v.Stage = LiquidationBorrows
	case l.partialMs > 0 && m.timeMs-l.partialMs < liquidationWholeMs:
		v.Stage = LiquidationCooldown
	}
	return v
}

// LiquidatableView is one book of an account under liquidation: what is below its line.
type LiquidatableView struct {
	Account     uint32
	Perp        uint32 // of an isolated position; NoSlot: all that is margined together
	Rule        Rule
	Token       uint32 // of the figures
	Value       Amount
	Requirement Amount
}

// ReadLiquidatable appends the books below their line of this shard's accounts under
// liquidation, in no order of accounts: first what is margined together, then each isolated
// position.
func (m *Machine) ReadLiquidatable(dst []LiquidatableView) []LiquidatableView {
	for i := range m.liquidations {
		if m.liquidations[i].isOver {
			continue
		}
		slot := m.liquidations[i].account
		if m.liquidations[i].isOver {
			continue
		}
		a := &m.accounts[slot/m.cfg.Shards]
		f := m.evaluate(a)
		w, isPast := m.crossLine(a, f)
		for at := int(a.positions.start); ; w, isPast = m.isolatedLine(a, &at) {
			if isPast {
				wei := m.tokens[w.token].wei
				dst = append(dst, LiquidatableView{
					Account: slot, Perp: w.market, Rule: w.rule, Token: w.token, Value: exact(w.value, wei),
					Requirement: exact(w.requirement, wei),
				})
			} else if at >= int(a.positions.start)+int(a.positions.count) {
				break
			}
		}
	}
	return dst
}
