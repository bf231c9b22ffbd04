package universe

// Reserve is the lending pool of one token. Caps are in units of the token, rates and
// ratios are fractions; all are decimal strings, and a cap of "0" allows nothing.
type Reserve struct {
	Token          string
	Index          int
	LTV            string // 0: no collateral
	Borrowable     bool
	SupplyCap      string // of all accounts
	BorrowCap      string
	UserSupplyCap  string // of one account
	UserBorrowCap  string
	TakeoverWidth  string // most that one backstop step takes, in USDC; "0" where LTV is 0
	RateBase       string // borrow rate a year below the kink
	RateSlope      string // added per unit of utilisation above the kink
	RateKink       string
	ReserveFactor  string // part of the borrow interest that stays with the pool
	OraclePerpName string // see OraclePerp
}

// Reserves returns the lending pools as of 19 August 2026 (venue documentation, portfolio
// margin: caps, LTV and thresholds; interest: 0.05 + 4.75·max(0, u − 0.8), of which a tenth
// is kept). UBTC is the documentation's "BTC", USDT0 its "USDT". USDH was borrowable until
// 21 June 2026; the live API still reports it with an LTV of zero, so it stays listed
// with caps of zero: nothing can be lent or borrowed.
func Reserves() []Reserve {
	reserves := []Reserve{
		{
			Token: "USDC", Index: 0, LTV: "0", Borrowable: true,
			SupplyCap: "1000000000", BorrowCap: "500000000", UserSupplyCap: "250000000", UserBorrowCap: "50000000",
		},
		{
			Token: "HYPE", Index: 150, LTV: "0.65",
			SupplyCap: "10000000", BorrowCap: "0", UserSupplyCap: "1000000", UserBorrowCap: "0", TakeoverWidth: "3000000",
		},
		{
			Token: "UBTC", Index: 197, LTV: "0.5",
			SupplyCap: "2000", BorrowCap: "0", UserSupplyCap: "200", UserBorrowCap: "0", TakeoverWidth: "300000",
		},
		{
			Token: "USDT0", Index: 268, LTV: "0", Borrowable: true,
			SupplyCap: "50000000", BorrowCap: "10000000", UserSupplyCap: "5000000", UserBorrowCap: "1000000",
		},
		{
			Token: "USDH", Index: 360, LTV: "0", Borrowable: true,
			SupplyCap: "0", BorrowCap: "0", UserSupplyCap: "0", UserBorrowCap: "0",
		},
	}
	for i := range reserves {
		r := &reserves[i]
		r.RateBase, r.RateSlope, r.RateKink, r.ReserveFactor = "0.05", "4.75", "0.8", "0.1"
		r.OraclePerpName = OraclePerp(r.Token)
		if r.TakeoverWidth == "" {
			r.TakeoverWidth = "0"
		}
	}
	return reserves
}
