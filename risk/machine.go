package risk

import "plimsoll/fixedpoint"

// Config shapes one machine. Equal histories give equal state whatever Shard and Shards
// are; AccountsMax bounds the account slots of all shards together.
type Config struct {
	Shard       uint32 // this machine's number, below Shards
	Shards      uint32 // how many machines share the accounts: slot s lives on shard s mod Shards
	AccountsMax uint32 // account slots, over all shards
	Detect      Detect // how ticks find whom they concern; changes no outcome
}

// Plan says how much of the other shards a group needs to see.
type Plan uint8

// Plans of a group.
const (
	PlanLocal  Plan = iota // nothing: Apply at once
	PlanTotals             // the others' pool totals as of the Seq before: SetForeign, then Apply
	PlanJoint              // all shards take part: SetForeign, Verdict, Prepare, Finish
)

// Verdict is one shard's read-only opinion on a joint group; the first in order of
// precedence wins over all shards.
type Verdict struct {
	Reason     Reason
	Rule       Rule
	Field      uint8
	Decimals   uint8
	HasAmounts bool
	NoOrder    bool // a leg of a trade names an order that does not rest
	NoCause    bool // a leg of a trade names a liquidation that is not under way
	Required   fixedpoint.Int128
	Available  fixedpoint.Int128
}

// RequestKind says what a Request is about.
type RequestKind uint8

// Kinds of requests. All but the first are of liquidation: liquidateround.go.
const (
	RequestPool      RequestKind = iota // money of a lending pool
	RequestDue                          // the account is due: Out is its ratio, In what the liquidator may have to take
	RequestDeficit                      // an equity below zero: Out of Token, with the legs that stand on it
	RequestLeg                          // Size of perp Market at Price goes from Account to the liquidator
	RequestMargin                       // Out of Token goes with it
	RequestSupply                       // Out of what Account has lent of Token, scaled, goes to the liquidator
	RequestRepay                        // the liquidator pays Out of Token of what Account owes
	RequestCandidate                    // Account stands against a leg: its Size, and Out is its place in the ranking
)

// Request is what one shard tells all others within a joint group. Requests of all shards
// are worked off in order of Kind, Rank, Account, N and Token, those of pools from the totals
// as of the Seq before: so every shard computes the same.
type Request struct {
	Kind        RequestKind
	Rank        uint32
	Account     uint32
	Token       uint32
	N           uint32 // running number of an account's requests
	Market      uint32
	Size        int64
	Price       int64
	PriceBefore int64             // the mark before this Seq
	Out         fixedpoint.Int128 // wanted out of the pool: own supply first, then new debt
	Supplied    fixedpoint.Int128 // own supply that may be taken back
	BorrowLimit fixedpoint.Int128 // new debt allowed by capacity and the user cap
	Forced      fixedpoint.Int128 // part of Out that passes the caps: what a fill left negative
	In          fixedpoint.Int128 // put into the pool: debt first, then supply
	Debt        fixedpoint.Int128 // own debt that may be repaid
	SupplyLimit fixedpoint.Int128 // new supply allowed by the user cap
}

// Totals are one pool's sums over the accounts of one shard, or of several. Supply and
// Debt are scaled by the pool's indices; Cash is in the token's units.
type Totals struct {
	Supply fixedpoint.Int128
	Debt   fixedpoint.Int128
	Cash   fixedpoint.Int128
}

// Add returns the sum of two totals.
func (t Totals) Add(o Totals) Totals {
	return Totals{Supply: t.Supply.Add(o.Supply), Debt: t.Debt.Add(o.Debt), Cash: t.Cash.Add(o.Cash)}
}
