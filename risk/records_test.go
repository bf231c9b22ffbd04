package risk

import (
	"math/rand/v2"
	"testing"

	"plimsoll/fixedpoint"
)

func (d *desk) funding(perp string, rateE12 int64) {
	d.t.Helper()
	c := Command{Kind: KindFunding}
	c.SetPrice(0, PriceMark, d.perps[perp], rateE12, 12)
	d.must(c)
}

// paidRows sums the funding rows of an account and returns how many there are.
func (d *desk) paidRows(a uint32) (sum i128, rows []FundingPayment) {
	rows = d.m.ReadFunding(a, nil)
	for _, r := range rows {
		sum = sum.Add(r.Amount.V)
	}
	return sum, rows
}

func TestFundingRowsAreWhatIsPaid(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.clock(0)
	a := d.open("trader", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
	d.prices("BTC", "100000", "o:BTC", "100003.7")
	d.must(d.fillOf(a, "BTC", "-1.23457", "100000"))
	rng := rand.New(rand.NewPCG(1, 2))
	for hour := range 60 {
		d.clock(3_600_000)
		d.funding("BTC", rng.Int64N(400_000_000)-200_000_000)
		if hour%7 == 3 {
			d.must(d.fillOf(a, "BTC", "-0.00001", "100000"))
		}
	}
	sum, rows := d.paidRows(a)
	if len(rows) != 60 {
		t.Fatalf("%d rows, want one an hour", len(rows))
	}
	d.must(d.fillOf(a, "BTC", "-0.00001", "100000")) // settles the rest
	p := d.view(a).Positions[0]
	if want := p.FundingSinceOpen.V.Neg(); sum != want {
		t.Errorf("rows add up to %v, the position paid %v", sum, want)
	}
	if settled, again := d.paidRows(a); settled != sum || len(again) != 60 {
		t.Errorf("once settled %d rows of %v, before 60 of %v", len(again), settled, sum)
	}
}

func TestFundingOlderThanTheRatesIsInTheOldestRow(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.clock(0)
	a := d.open("trader", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
	d.prices("BTC", "100000", "o:BTC", "100000")
	d.must(d.fillOf(a, "BTC", "1", "100000"))
	d.quick = true
	for range RatesKept + 10 {
		d.time += 3_600_000
		d.funding("BTC", 12_500_000)
	}
	sum, rows := d.paidRows(a)
	wants(t, "sum", Amount{V: sum, Decimals: 8}, "-912.5") // 730 x 1.25
	if len(rows) != RatesKept {
		t.Errorf("%d rows, want %d", len(rows), RatesKept)
	}
	wants(t, "oldest", rows[0].Amount, "-13.75")
	wants(t, "next", rows[1].Amount, "-1.25")
}

// interestOf sums the interest parts of an account in a token.
func (d *desk) interestOf(a uint32, token string) (earned, owed i128) {
	for _, p := range d.m.ReadInterest(a, nil) {
		if p.Token != d.tokens[token] {
			continue
		}
		if p.Amount.V.Sign() > 0 {
			earned = earned.Add(p.Amount.V)
		} else {
			owed = owed.Sub(p.Amount.V)
		}
	}
	return earned, owed
}

func TestInterestRowsAreWhatIsOwed(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000 - 1_000_000_000_000%hourMs
	d.clock(0)
	lender := d.lent("lender", "20000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	for range 5 {
		d.clock(3_600_000)
	}
	owed, earned := d.balance(a, "USDC"), d.balance(lender, "USDC")
	_, rows := d.interestOf(a, "USDC")
	if want := owed.Borrowed.V.Sub(owed.BorrowBasis.V); rows != want || want.Sign() <= 0 {
		t.Errorf("rows of the borrower add up to %v, value less basis is %v", rows, want)
	}
	rows, _ = d.interestOf(lender, "USDC")
	if want := earned.Supplied.V.Sub(earned.SupplyBasis.V); rows != want || want.Sign() <= 0 {
		t.Errorf("rows of the lender add up to %v, value less basis is %v", rows, want)
	}
	if n := len(d.m.ReadInterest(lender, nil)); n != 5 {
		t.Errorf("%d rows, want one an hour", n)
	}
	d.touchInterest(lender)
}

// touchInterest deposits in between: what was settled and what runs must still be all that the
// balance grew by.
func (d *desk) touchInterest(lender uint32) {
	d.t.Helper()
	for i := range 30 {
		d.clock(1_000_000)
		if i%3 != 2 {
			d.must(d.fund(KindDeposit, lender, "USDC", "1"))
		}
	}
	d.clock(3_600_000 - d.time%3_600_000)
	earned, _ := d.interestOf(lender, "USDC")
	grown := d.balance(lender, "USDC").Supplied.V.Sub(fixedpoint.I128(2_002_000_000_000))
	if dust := grown.Sub(earned); dust.Less(fixedpoint.I128(-20)) || fixedpoint.I128(20).Less(dust) {
		d.t.Errorf("rows add up to %v, the balance grew by %v", earned, grown) // 20 deposits, each rounded down to scaled units
	}
	hours := map[int64]bool{}
	for _, p := range d.m.ReadInterest(lender, nil) {
		hours[p.HourMs] = true
	}
	if len(hours) < 13 {
		d.t.Errorf("%d hours have rows, want 13 or more", len(hours))
	}
}

func TestLedgerRows(t *testing.T) {
	d := newDesk(t)
	d.standard()
	a, b := d.open("a", ModeStandard), d.open("b", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "100"))
	d.must(d.fund(KindWithdraw, a, "USDC", "10"))
	send := d.fund(KindTransfer, a, "USDC", "20")
	send.Ref[RefOther] = b
	d.must(send)
	d.refuses(ReasonInsufficientMargin, d.fund(KindWithdraw, a, "USDC", "1000"))
	rows := d.m.ReadLedger(a, nil)
	want := []struct {
		kind   RecordKind
		amount string
	}{{RecordSent, "20.0"}, {RecordWithdraw, "10.0"}, {RecordDeposit, "100.0"}}
	if len(rows) != len(want) {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	for i, w := range want {
		if rows[i].Kind != w.kind {
			t.Errorf("row %d is of kind %d, want %d", i, rows[i].Kind, w.kind)
		}
		wants(t, "amount", rows[i].Amount, w.amount)
	}
	got := d.m.ReadLedger(b, nil)
	if len(got) != 1 || got[0].Kind != RecordReceived || got[0].Other != a {
		t.Errorf("the receiver's rows: %+v", got)
	}
}

func TestRecordsOfOneAccountPushOutTheOldest(t *testing.T) {
	r := newRecordRing(2)
	keep := uint32(len(r.rows))
	r.add(1, 1)
	for range keep - 1 {
		r.add(0, 0)
	}
	if r.at(r.last[1], 1) == nil {
		t.Error("a record is gone though the ring has just its size")
	}
	r.add(0, 0)
	if r.at(r.last[1], 1) != nil {
		t.Error("a record is there though another stands in its place")
	}
	n, count := r.last[0], uint32(0)
	for x := r.at(n, 0); x != nil; x = r.at(x.prev, 0) {
		count++
	}
	if count != keep {
		t.Errorf("%d records of a chain, want %d", count, keep)
	}
}
