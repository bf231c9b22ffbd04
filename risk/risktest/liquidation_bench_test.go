package risktest

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"plimsoll/risk"
)

// liquidationEnv, when set, is how many accounts BenchmarkLiquidation has: 1000000 for the goals.
const liquidationEnv = "PLIMSOLL_LIQUIDATION"

// crowd is a machine with many plain accounts of one market.
type crowd struct {
	b        *testing.B
	s        *Shards
	accounts uint32
	price    int64
}

func newCrowd(b *testing.B, accounts uint32) *crowd {
	c := &crowd{b: b, s: NewShards(1, accounts+3), accounts: accounts, price: 100_000}
	for _, group := range crashListings() {
		c.do(group...)
	}
	for slot := range uint32(2) {
		c.open(slot, risk.ModePortfolio, 1<<40)
	}
	c.tick(100_000)
	set := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamBackstopAccount}
	c.do(set) // the account of slot 0
	return c
}

func (c *crowd) do(group ...risk.Command) []risk.Event {
	events := c.s.Do(group)
	if events[0].Reason != risk.ReasonNone {
		c.b.Fatalf("kind %d: %v", group[0].Kind, events[0].Reason)
	}
	return events
}

func (c *crowd) open(slot uint32, mode risk.Mode, money int64) {
	o := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(mode)}
	o.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	o.SetName(strconv.AppendUint(nil, uint64(slot), 10))
	c.do(o)
	d := risk.Command{Kind: risk.KindDeposit}
	d.Ref = [4]uint32{slot, 0, 0, 0}
	d.SetNum(0, money, 0)
	c.do(d)
}

// hold has an account hold tenths of a bitcoin.
func (c *crowd) hold(slot uint32, tenths int64) {
	f := risk.Command{Kind: risk.KindFill}
	f.Ref = [4]uint32{slot, 0, 0, risk.NoSlot}
	if tenths < 0 {
		f.Flags = risk.FlagSell
		tenths = -tenths
	}
	f.SetNum(0, tenths, 1)
	f.SetNum(1, c.price, 0)
	c.do(f)
}

func (c *crowd) tick(price int64) []risk.Event {
	var b tickBuilder
	b.add(risk.PriceMark, 0, price, 0)
	return c.do(b.group...)
}

// money spreads leverage: from 600 dollars to 160,000 behind 10,000 dollars of bitcoin.
func (c *crowd) money(n uint32) int64 {
	x := int64(n) * 7919 % 400
	return 600 + x*x
}

func (c *crowd) settle() {
	for c.s.Machines[0].BandStep(10_000) {
		continue
	}
}

func crowdSize() uint32 {
	if n, err := strconv.ParseUint(os.Getenv(liquidationEnv), 10, 32); err == nil && n > 0 {
		return uint32(n)
	}
	return 20_000
}

// BenchmarkLiquidation measures one tick: `cross`, in which one account in a hundred crosses its
// line, and `adl`, in which a thousand (one in twenty at most) cannot bear their loss and are closed
// against a market of which four accounts in ten hold the other side.
func BenchmarkLiquidation(b *testing.B) {
	b.Run("cross", func(b *testing.B) { benchmarkCrowd(b, false) })
	b.Run("adl", func(b *testing.B) { benchmarkCrowd(b, true) })
}

func benchmarkCrowd(b *testing.B, isADL bool) {
	accounts := crowdSize()
	few := accounts / 100
	prices := [2]int64{99_990, 99_000}
	if isADL {
		few, prices = min(1000, accounts/20), [2]int64{97_900, 89_900}
	}
	for b.Loop() {
		b.StopTimer()
		c := newCrowd(b, accounts)
		c.fill(few)
		var events []risk.Event
		for n, price := range prices { // the first time memory grows; the second counts
			c.settle()
			runtime.GC()
			if n == 1 {
				b.StartTimer()
			}
			began := time.Now()
			events = c.tick(price)
			b.ReportMetric(float64(time.Since(began).Microseconds())/1000, []string{"ms/first", "ms/tick"}[n])
		}
		count := map[risk.EventKind]int{}
		for i := range events {
			count[events[i].Kind]++
		}
		b.ReportMetric(float64(count[risk.EventLiquidationStarted]), "started")
		b.ReportMetric(float64(count[risk.EventADL]), "adl")
	}
}

// fill opens twice as many thin accounts as shall cross in a tick, those of the second with five
// times the money of the first, and all others: two in five short.
func (c *crowd) fill(few uint32) {
	for n := range c.accounts {
		slot := n + 2
		switch thin := c.accounts / few; {
		case n%thin == 0:
			c.open(slot, risk.ModeStandard, 200)
			c.hold(slot, 1)
		case n%thin == 1:
			c.open(slot, risk.ModeStandard, 1000)
			c.hold(slot, 1)
		case n%5 < 2:
			c.open(slot, risk.ModeStandard, c.money(n))
			c.hold(slot, -1)
		default:
			c.open(slot, risk.ModeStandard, 2000+c.money(n))
			c.hold(slot, 1)
		}
	}
}
