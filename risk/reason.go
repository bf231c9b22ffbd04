package risk

// Reason is why a command was refused; the values are in the order in which the rules
// are tested, so of two that hold the smaller is reported.
type Reason uint8

// Refusal reasons in order of precedence. ReasonNone means accepted.
const (
	ReasonNone Reason = iota
	ReasonUnknownAccount
	ReasonAccountExists
	ReasonDuplicateOrderID
	ReasonUnknownMarket
	ReasonUnknownToken
	ReasonUnknownDex
	ReasonUnknownOrder
	ReasonAccountHalted
	ReasonMarketHalted
	ReasonAccountInLiquidation
	ReasonInvalidListing
	ReasonInvalidTime
	ReasonInvalidSize
	ReasonInvalidPrice
	ReasonInvalidAmount
	ReasonPriceMissing
	ReasonPriceStale
	ReasonLeverageTooHigh
	ReasonMarginModeNotAllowed
	ReasonReduceOnlyWouldIncrease
	ReasonTierLimit
	ReasonOpenInterestCap
	ReasonInsufficientBalance
	ReasonInsufficientMargin
	ReasonUserSupplyCap
	ReasonUserBorrowCap
	ReasonSupplyCap
	ReasonBorrowCap
	ReasonPoolIlliquid
	ReasonModeChangeBlocked
	ReasonLimitExceeded
	ReasonArithmeticOverflow
	reasonCount
)

var reasonNames = [reasonCount]string{
	"ok", "unknown_account", "account_exists", "duplicate_order_id", "unknown_market", "unknown_token", "unknown_dex",
	"unknown_order", "account_halted", "market_halted", "account_in_liquidation", "invalid_listing", "invalid_time",
	"invalid_size", "invalid_price", "invalid_amount", "price_missing", "price_stale", "leverage_too_high",
	"margin_mode_not_allowed", "reduce_only_would_increase", "tier_limit", "open_interest_cap", "insufficient_balance",
	"insufficient_margin", "user_supply_cap", "user_borrow_cap", "supply_cap", "borrow_cap", "pool_illiquid",
	"mode_change_blocked", "limit_exceeded", "arithmetic_overflow",
}

// String returns the snake_case code of the HTTP contract.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown_reason"
}

// Rule names what bound a decision, for the answer of an order.
type Rule uint8

// Rules that can bind an order or a removal of funds.
const (
	RuleNone Rule = iota
	RuleInitialMargin
	RuleSpotBalance
	RuleBorrowCapacity
	RuleTransferMargin
	RuleReduceOnly
	RuleField               // a number field: Field says which
	RuleMaintenance         // equity below maintenance margin
	RuleIsolatedMaintenance // of an isolated position
	RulePortfolioRatio      // above 0.95
	RuleBackstop            // below two thirds of maintenance margin
	RulePartialBorrow       // debt past the partial threshold
	RuleFullBorrow          // debt past the full one
	RuleNegative            // an equity below zero
	RuleBuffer              // paid by the buffer
	RuleShared              // borne by those closed against
	RulePriceBand           // too far from the last price
	RuleBackstopTWAP        // the liquidator sells what it took over
	ruleCount
)

var ruleNames = [ruleCount]string{
	"none", "initial_margin", "spot_balance", "borrow_capacity", "transfer_margin", "reduce_only", "field",
	"maintenance_margin", "isolated_maintenance_margin", "portfolio_margin_ratio", "backstop", "partial_borrow",
	"full_borrow", "negative_equity", "buffer", "shared", "price_band", "backstop_twap",
}

// String returns the name of the rule as the HTTP answer shows it.
func (r Rule) String() string {
	if r < ruleCount {
		return ruleNames[r]
	}
	return "none"
}
