package risk

// Named limits: everything the core holds is bounded, and refused beyond.
const (
	TokensMax              = 1024 // token slots
	PerpsMax               = 1024 // perp slots
	SpotsMax               = 1024 // spot slots
	DexesMax               = 32   // perp dexes, slot 0 is the main one
	PoolsMax               = 32   // tokens with a lending pool
	TiersMax               = 8    // margin tiers of a perp
	PositionsPerAccountMax = 1024 // one per perp
	BalancesPerAccountMax  = 1024 // one per token
	OrdersPerAccountMax    = 5000 // resting orders of one account
	ClientsMax             = 1024 // clients with idempotency ids
	GroupMax               = 4096 // records of one group (a tick, a tier table, an import)
	LeverageMax            = 1000 // of any tier

	SzDecimalsMax    = 6  // perp prices carry 6 - sz_decimals
	WeiDecimalsMin   = 6  // of a token that collateralises perps
	WeiDecimalsMax   = 12 // of a token that collateralises perps
	TokenDecimalsMax = 18

	SizeMax             = 1 << 60           // |size| of a position or an order, in its instrument's units
	PriceMax            = 9_000_000_000_000 // a perp mark, spot price in its instrument's units
	NotionalMax         = 1 << 62           // |size x price| at 1e-6 (perps) or 1e-8 (spots)
	OraclePriceDecimals = 10                // oracle, token and index prices are held at 1e-10
	OraclePriceMax      = 1 << 61

	MaxClockStepMsDefault = 366 * 24 * 3600 * 1000 // a longer step of engine time is refused
	AccrualIntervalMs     = 1000                   // pools accrue at most this often without a clock command
)
