package risk

import "plimsoll/fixedpoint"

// Amount is an exact decimal of a view: V / 10^Decimals. IsNull marks a figure that does
// not exist (a liquidation price at or below zero, a health factor without debt).
type Amount struct {
	V        fixedpoint.Int128
	Decimals uint8
	IsNull   bool
}

// AccountView is everything the readers of one account may ask for, taken at one Seq.
type AccountView struct {
	Account     uint32
	Master      uint32 // NoAccount without one
	Mode        Mode
	IsHalted    bool
	TimeMs      int64
	Margin      MarginView
	Balances    []BalanceView    // by token slot
	Dexes       []DexView        // by dex slot, the main dex always first
	Positions   []PositionView   // by dex slot, then perp slot; size zero is a leverage setting only
	Orders      []OrderView      // in order of placement
	Collaterals []CollateralView // portfolio accounts, by token slot
	Sale        SaleView         // of the liquidator
}

// MarginView carries the figures of GET /v1/accounts/{account}/margin for the settlement
// token; names as in the HTTP contract (MODEL.md §3).
type MarginView struct {
	Mode                   Mode
	Health                 Health
	Token                  uint32 // settlement token of the figures
	Equity                 Amount // net balance + collateral value at full weight
	NetBalance             Amount // N
	InitialRequirement     Amount
	MaintenanceMargin      Amount // MM
	BorrowedForMaintenance Amount // B
	CollateralCapacity     Amount // C
	CollateralLiquidation  Amount // LC
	IsolatedEquity         Amount // E_iso
	LiquidationValue       Amount // denominator of the ratio
	AvailableAfterMaint    Amount // AAM
	PortfolioMarginRatio   Amount // 10 decimals; null when infinite
	RatioIsInfinite        bool
	HealthFactor           Amount // null without debt
	Available              Amount
	Withdrawable           Amount
	LendingHealth          LendingHealth
	Liquidation            LiquidationView
}

// LendingHealth is the state of the borrow book of an account (spec decision 8.18).
type LendingHealth uint8

// Lending health states.
const (
	LendingHealthy LendingHealth = iota
	LendingAtRisk
	LendingMarketLiquidatable
	LendingBackstopLiquidatable
)

// BalanceView is one token of an account.
type BalanceView struct {
	Token         uint32
	Total         Amount
	Hold          Amount
	SpotHold      Amount
	HasSpotHold   bool
	Supplied      Amount
	Borrowed      Amount
	SupplyBasis   Amount
	BorrowBasis   Amount
	EntryNtl      Amount
	AfterMaint    Amount // token's available after maintenance
	HasAfterMaint bool   // listed in tokenToAvailableAfterMaintenance
	BorrowRatio   Amount // borrowed / user borrow cap, 10 decimals
	SupplyRatio   Amount // supplied / user supply cap, 10 decimals
	HasPool       bool
}

// DexView is one perp dex of an account, in the dex's collateral token.
type DexView struct {
	Dex              uint32
	AccountValue     Amount
	TotalNtlPos      Amount
	TotalRawUsd      Amount
	TotalMarginUsed  Amount
	CrossValue       Amount
	CrossNtlPos      Amount
	CrossRawUsd      Amount
	CrossMarginUsed  Amount
	CrossMaintenance Amount
	Withdrawable     Amount
}

// CollateralView is one collateral token's critical prices, all else held.
type CollateralView struct {
	Token         uint32
	TriggerPx     Amount // the ratio reaches 0.95
	LiquidationPx Amount // available after maintenance reaches zero
}

// PositionView is one perp position.
type PositionView struct {
	Perp               uint32
	Dex                uint32
	IsIsolated         bool
	Leverage           uint16
	MaxLeverage        uint16
	Size               Amount // signed
	EntryNotional      Amount
	EntryPx            Amount // entry notional / size, 10 decimals, rounded half even
	PositionValue      Amount
	UnrealizedPnl      Amount
	ReturnOnEquity     Amount // 10 decimals
	LiquidationPx      Amount // the venue's: available after maintenance reaches zero
	TriggerPx          Amount // the ratio reaches 0.95
	MarginUsed         Amount
	RawUsd             Amount
	MaintenanceMargin  Amount
	FundingAllTime     Amount
	FundingSinceOpen   Amount
	FundingSinceChange Amount
}

// OrderView is one resting order.
type OrderView struct {
	OrderHi, OrderLo uint64
	OrderForm        IDForm
	Market           uint32
	IsSell           bool
	IsReduceOnly     bool
	IsTrigger        bool // rests untriggered
	IsTriggerMarket  bool
	IsTakeProfit     bool
	Price            Amount
	Size             Amount // remaining
	OrigSize         Amount
	TriggerPx        Amount
	TimeMs           int64
}

// ActiveAssetView answers activeAssetData: index 0 is buy, 1 is sell.
type ActiveAssetView struct {
	Perp             uint32
	Leverage         uint16
	IsIsolated       bool
	MarkPx           Amount
	RawUsd           Amount // of an isolated position, or zero
	MaxTradeSizes    [2]Amount
	AvailableToTrade [2]Amount
}

// TokenView is one listed token and its lending pool.
type TokenView struct {
	Slot, Index   uint32
	Name          string
	FullName      string
	WeiDecimals   uint8
	SzDecimals    uint8
	IsBorrowable  bool
	HasPool       bool
	LTV           Amount
	SupplyCap     Amount
	BorrowCap     Amount
	UserSupplyCap Amount
	UserBorrowCap Amount
	RateBase      Amount
	RateSlope     Amount
	RateKink      Amount
	ReserveFactor Amount
	OraclePerp    uint32 // NoSlot without one
	OraclePx      Amount // borrow oracle price; null while unknown
	Pool          PoolView
	Class         PriceClass // what the oracle price may be used for
	MaxAgeMs      int64      // 0 = no age makes it stale
	Band          Amount     // share of the last price that the next may be away from it; 0 = any
}

// PoolView is a lending pool's state over all shards.
type PoolView struct {
	TotalSupplied Amount
	TotalBorrowed Amount
	Buffer        Amount
	Balance       Amount // reserve balance: cash that can leave
	Utilization   Amount // 10 decimals
	BorrowRate    Amount // yearly, 10 decimals
	SupplyRate    Amount
	SupplyIndex   Amount // 27 decimals
	BorrowIndex   Amount
}

// PerpView is one listed perp.
type PerpView struct {
	Slot, Index  uint32
	Name         string
	Dex          uint32
	SzDecimals   uint8
	MaxLeverage  uint16
	MarginMode   MarginMode
	Collateral   uint32
	IsHalted     bool
	MarkPx       Amount // null while unknown
	OraclePx     Amount
	Funding      Amount // last hourly rate
	OpenInterest Amount // this shard's long side only; the api sums shards
	Tiers        []TierView
	Class        PriceClass // what the mark may be used for
	MaxAgeMs     int64      // 0 = no age makes it stale
	Band         Amount     // share of the last price that the next may be away from it; 0 = any
}

// TierView is one margin tier.
type TierView struct {
	LowerBound  Amount
	MaxLeverage uint16
}

// SpotView is one listed spot market.
type SpotView struct {
	Slot, Index uint32
	Name        string
	Base, Quote uint32
	IsHalted    bool
	Px          Amount     // null while unknown
	Class       PriceClass // what the price may be used for
	MaxAgeMs    int64      // 0 = no age makes it stale
	Band        Amount     // share of the last price that the next may be away from it; 0 = any
}

// DexInfo is one listed dex.
type DexInfo struct {
	Slot, Index uint32
	Name        string
	Collateral  uint32
}
