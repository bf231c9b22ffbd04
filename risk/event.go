package risk

import "plimsoll/fixedpoint"

// EventKind names what an Event tells.
type EventKind uint8

// Event kinds. EventResult answers the command's sender; the others form the event
// stream and are named as in the HTTP contract.
const (
	EventNone EventKind = iota
	EventResult
	EventHealthChanged
	EventBorrowed
	EventRepaid
	EventSupplied
	EventUnsupplied
	EventInterest
	EventFunding
	EventCapReached
	EventPriceStale
	EventOrderReleased
	EventModeChanged
	EventHalted
	EventResumed
	EventLiquidationStarted
	EventLiquidationOrder
	EventLiquidationEnded
	EventBackstopTakeover
	EventADL
	EventLendingHealthChanged
	EventLossCovered
	EventLiquidationStep
	EventPriceFresh
	eventKindCount
)

var eventNames = [eventKindCount]string{
	"none", "result", "health_changed", "borrowed", "repaid", "supplied", "unsupplied", "interest", "funding",
	"cap_reached", "price_stale", "order_released", "mode_changed", "halted", "resumed", "liquidation_started",
	"liquidation_order", "liquidation_ended", "backstop_takeover", "adl", "lending_health_changed", "loss_covered",
	"liquidation_step", "price_fresh",
}

// String returns the event type of the HTTP contract.
func (k EventKind) String() string {
	if k < eventKindCount {
		return eventNames[k]
	}
	return "none"
}

// Event is one thing that happened at Seq. Events of one Seq are ordered by (Phase,
// Rank, N) over all shards; Amount and Amount2 carry Decimals decimals, but where Amount is
// the signed size of a perp in a liquidation Amount2 is its price, with SzDecimalsMax less Decimals of them.
// Of health_changed they are value and requirement of what has the highest ratio.
type Event struct {
	Seq     uint64
	TimeMs  int64
	Rank    uint64 // account slot, or 0 for events without an account
	Amount  fixedpoint.Int128
	Amount2 fixedpoint.Int128
	OrderHi uint64
	OrderLo uint64

	Account     uint32
	Market      uint32
	Token       uint32
	Ticket      uint32 // EventResult only
	N           uint32 // running number within (Seq, Phase, Rank)
	Phase       uint8
	Kind        EventKind
	Reason      Reason
	Rule        Rule
	From        Health // health_changed
	To          Health
	FromLending LendingHealth // lending_health_changed
	ToLending   LendingHealth
	Field       uint8 // refused number: index into Command.Num of the record GroupIndex
	Decimals    uint8 // of Amount and Amount2
	Flags       EventFlags
	OrderForm   IDForm
}

// EventFlags refine an Event.
type EventFlags uint8

// Event flags.
const (
	EventHasAmounts         EventFlags = 1 << 0 // EventResult: required and available are meaningful
	EventUnknownOrder       EventFlags = 1 << 1 // EventResult of a fill: order_id was not resting
	EventUnknownLiquidation EventFlags = 1 << 3 // EventResult of a fill or trade: the liquidation it names is not under way
	EventHasBefore          EventFlags = 1 << 4 // health_changed: OrderHi is the ratio at the prices before, at 1e-10
	EventFallback           EventFlags = 1 << 2 // a cap or pool left part of the wish unmet
)

// Before orders two events of one stream.
func (e *Event) Before(o *Event) bool {
	switch {
	case e.Seq != o.Seq:
		return e.Seq < o.Seq
	case e.Phase != o.Phase:
		return e.Phase < o.Phase
	case e.Rank != o.Rank:
		return e.Rank < o.Rank
	default:
		return e.N < o.N
	}
}

// Health is the band an account stands in, best first.
type Health uint8

// Health bands: see MODEL.md §7.
const (
	HealthNone         Health = iota // nothing at risk: no requirement
	HealthHealthy                    // above its initial requirement
	HealthAtRisk                     // above maintenance, below the initial requirement: no increase
	HealthLiquidatable               // past the liquidation line
	HealthBackstop                   // past the backstop line
	HealthCount
)

var healthNames = [HealthCount]string{"idle", "healthy", "at_risk", "liquidatable", "backstop"}

// String returns the band's name on the wire.
func (h Health) String() string {
	if h < HealthCount {
		return healthNames[h]
	}
	return "idle"
}
