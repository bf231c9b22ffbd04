package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sentKind is what a client of the crash tests sends.
type sentKind uint8

const (
	sentOpen sentKind = iota
	sentDeposit
	sentWithdraw
	sentTransfer
	sentOrder
	sentCancel
	sentFill
	sentPrices
)

// sent is one command in a client's own record, with the answer once there is one. The id
// of a command is its place in the record, from 1.
type sent struct {
	kind    sentKind
	isBuy   bool
	isAcked bool
	isOK    bool
	account uint8
	other   uint8 // transfer: of the client after this one when above moneyAccounts
	amount  int64 // hundredths of a dollar, thousandths of a bitcoin, dollars of a mark; order: its order id
	seq     uint64
}

// Each client has accounts of its own: some that only move money, some that only trade.
const (
	moneyAccounts  = 6
	tradeAccounts  = 2
	clientAccounts = moneyAccounts + tradeAccounts
	batchMost      = 64
	recheckBatch   = 400
	recheckMost    = 60_000 // ids of one client that are sure to be remembered
)

// desk is one client: what it sent and what it was told, kept outside the daemon.
type desk struct {
	number int
	desks  int
	rng    *rand.Rand
	http   *http.Client
	record []sent
	open   int // from here on nothing is known: sent, perhaps applied, not answered
	slow   int // answers 429 and 503
}

func newDesks(count int, seed uint64) []*desk {
	desks := make([]*desk, count)
	for i := range desks {
		d := &desk{
			number: i, desks: count, rng: rand.New(rand.NewPCG(seed, uint64(i))),
			http: &http.Client{Timeout: startDeadline, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
		}
		for a := range clientAccounts {
			d.record = append(d.record, sent{kind: sentOpen, account: uint8(a)},
				sent{kind: sentDeposit, account: uint8(a), amount: 100_000_000})
		}
		desks[i] = d
	}
	return desks
}

func (d *desk) name() string { return "desk-" + strconv.Itoa(d.number) }

func deskAccount(desk int, account uint8) string { return fmt.Sprintf("d%d-a%d", desk, account) }

// otherOf returns where a transfer goes.
func (d *desk) otherOf(c *sent) (desk int, account uint8) {
	if c.other >= moneyAccounts {
		return (d.number + 1) % d.desks, c.other - moneyAccounts
	}
	return d.number, c.other
}

// draw appends a command to the record.
func (d *desk) draw() {
	c := sent{amount: 1 + d.rng.Int64N(50_000), isBuy: d.rng.IntN(2) == 0}
	last := d.record[len(d.record)-1]
	switch p := d.rng.IntN(100); {
	case last.kind == sentOrder && p < 95:
		c = sent{kind: sentCancel, account: last.account, amount: last.amount}
	case p < 25:
		c.kind, c.account = sentDeposit, uint8(d.rng.IntN(moneyAccounts))
	case p < 50:
		c.kind, c.account = sentWithdraw, uint8(d.rng.IntN(moneyAccounts))
		c.amount *= 40 // some are refused
	case p < 75:
		c.kind, c.account, c.other = sentTransfer, uint8(d.rng.IntN(moneyAccounts)), uint8(d.rng.IntN(2*moneyAccounts))
		if c.other == c.account {
			c.other += moneyAccounts
		}
	case p < 88:
		c.kind, c.account, c.amount = sentOrder, uint8(moneyAccounts+d.rng.IntN(tradeAccounts)), int64(len(d.record)+1)
	case p < 98 || d.number > 0: // one feeds prices, so that the last is known
		c.kind, c.account, c.amount = sentFill, uint8(moneyAccounts+d.rng.IntN(tradeAccounts)), 1+c.amount%20
	default:
		c.kind, c.amount = sentPrices, 60_000+c.amount%100
	}
	d.record = append(d.record, c)
}

// appendJSON writes command i of the record.
func (d *desk) appendJSON(b []byte, i int) []byte {
	c := &d.record[i]
	b = fmt.Appendf(b, `{"id":"%d",`, i+1)
	account := deskAccount(d.number, c.account)
	side := "sell"
	if c.isBuy {
		side = "buy"
	}
	switch c.kind {
	case sentOpen:
		mode := "standard"
		if c.account >= moneyAccounts {
			mode = "portfolio"
		}
		return fmt.Appendf(b, `"type":"open_account","account":"%s","mode":"%s"}`, account, mode)
	case sentDeposit:
		return fmt.Appendf(b, `"type":"deposit","account":"%s","token":"USDC","wallet":"spot","amount":"%s"}`, account, cents(c.amount))
	case sentWithdraw:
		return fmt.Appendf(b, `"type":"withdraw","account":"%s","token":"USDC","wallet":"spot","amount":"%s"}`, account, cents(c.amount))
	case sentTransfer:
		desk, other := d.otherOf(c)
		return fmt.Appendf(b, `"type":"transfer","from":"%s","to":"%s","token":"USDC","from_wallet":"spot","to_wallet":"spot","amount":"%s"}`,
			account, deskAccount(desk, other), cents(c.amount))
	case sentOrder:
		return fmt.Appendf(b, `"type":"order","account":"%s","market":"BTC","side":"buy","size":"0.001","price":"30000","order_id":"%d"}`,
			account, c.amount)
	case sentCancel:
		return fmt.Appendf(b, `"type":"cancel","account":"%s","order_id":"%d"}`, account, c.amount)
	case sentFill:
		return fmt.Appendf(b, `"type":"fill","account":"%s","market":"BTC","side":"%s","size":"0.%03d","price":"60000"}`, account, side, c.amount)
	default:
		return fmt.Appendf(b, `"type":"prices","marks":{"BTC":"%d"},"oracles":{"BTC":"%d"}}`, c.amount, c.amount)
	}
}

func cents(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// answer is one result of POST /v1/commands.
type answer struct {
	Seq       uint64 `json:"seq"`
	OK        bool   `json:"ok"`
	Duplicate bool   `json:"duplicate"`
	Error     struct {
		Code string `json:"code"`
	} `json:"error"`
}

// send posts the commands from..to and returns the answers; status 0: none came.
func (d *desk) send(url string, from, to int) (status int, answers []answer, text string) {
	body := []byte{'['}
	for i := from; i < to; i++ {
		if i > from {
			body = append(body, ',')
		}
		body = d.appendJSON(body, i)
	}
	isOne := to == from+1
	if isOne {
		body = body[1:]
	} else {
		body = append(body, ']')
	}
	status, reply := post(d.http, url, d.name(), body)
	switch {
	case status == http.StatusOK && !isOne:
		if json.Unmarshal(reply, &answers) != nil || len(answers) != to-from {
			return -1, nil, string(reply)
		}
	case isOne && (status == http.StatusOK || status == http.StatusUnprocessableEntity):
		answers = make([]answer, 1)
		if json.Unmarshal(reply, &answers[0]) != nil {
			return -1, nil, string(reply)
		}
	}
	return status, answers, string(reply)
}

// take records the answers to the commands from d.open on.
func (d *desk) take(answers []answer) {
	for i := range answers {
		c := &d.record[d.open+i]
		c.isAcked, c.isOK, c.seq = true, answers[i].OK, answers[i].Seq
	}
	d.open += len(answers)
}

// load sends at full rate until the daemon is gone or stop says so. What was in flight
// stays open.
func (d *desk) load(url string, stop func() bool) error {
	defer d.http.CloseIdleConnections()
	for !stop() {
		for n := 1 + d.rng.IntN(batchMost); len(d.record)-d.open < n; {
			d.draw()
		}
		status, answers, text := d.send(url, d.open, len(d.record))
		switch {
		case answers != nil:
			d.take(answers)
		case status == 0:
			return nil
		case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
			d.slow++
			time.Sleep(time.Millisecond)
		default:
			return fmt.Errorf("%s: commands %d to %d answer %d %s", d.name(), d.open, len(d.record), status, text)
		}
	}
	return nil
}

// settle repeats what was in flight: whatever of it was applied must be a beginning of it.
func (d *desk) settle(url string) (applied int, err error) {
	if d.open == len(d.record) {
		return 0, nil
	}
	status, answers, text := d.send(url, d.open, len(d.record))
	if answers == nil {
		return 0, fmt.Errorf("%s: repeating %d to %d answers %d %s", d.name(), d.open, len(d.record), status, text)
	}
	for i := range answers {
		if answers[i].Duplicate && applied < i {
			return 0, fmt.Errorf("%s: command %d of a batch was applied and %d was not", d.name(), d.open+i, d.open+applied)
		}
		if answers[i].Duplicate {
			applied++
		}
	}
	d.take(answers)
	return applied, nil
}

// recheck repeats everything acknowledged that the daemon must still know, and wants the
// first answers.
func (d *desk) recheck(url string, most int) (checked int, err error) {
	for from := max(0, d.open-most); from < d.open; from += recheckBatch {
		to := min(from+recheckBatch, d.open)
		status, answers, text := d.send(url, from, to)
		if answers == nil {
			return checked, fmt.Errorf("%s: repeating %d to %d answers %d %s", d.name(), from, to, status, text)
		}
		for i := range answers {
			c, a := &d.record[from+i], &answers[i]
			if !a.Duplicate || a.Seq != c.seq || a.OK != c.isOK {
				return checked, fmt.Errorf("LOST: %s id %d (%s) was acknowledged as seq %d ok %v and is now %+v",
					d.name(), from+i+1, d.appendJSON(nil, from+i), c.seq, c.isOK, *a)
			}
		}
		checked += len(answers)
	}
	return checked, nil
}

// each runs fn for every desk at once and fails the test when one fails.
func each(t *testing.T, desks []*desk, fn func(d *desk) error) {
	t.Helper()
	var wait sync.WaitGroup
	faults := make([]error, len(desks))
	for i, d := range desks {
		wait.Go(func() { faults[i] = fn(d) })
	}
	wait.Wait()
	for _, err := range faults {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// own is what the clients' records say that an account must hold.
type own struct {
	cents  int64 // money accounts
	sizes  int64 // traders: thousandths of a bitcoin
	orders int
}

// expected sums the records. Nothing may be open.
func expected(desks []*desk) (accounts map[string]*own, mark int64) {
	accounts = map[string]*own{}
	of := func(desk int, account uint8) *own {
		name := deskAccount(desk, account)
		if accounts[name] == nil {
			accounts[name] = &own{}
		}
		return accounts[name]
	}
	for _, d := range desks {
		for i := range d.record {
			c := &d.record[i]
			if !c.isOK {
				continue
			}
			o := of(d.number, c.account)
			switch c.kind {
			case sentOpen:
			case sentDeposit:
				o.cents += c.amount
			case sentWithdraw:
				o.cents -= c.amount
			case sentTransfer:
				o.cents -= c.amount
				of(d.otherOf(c)).cents += c.amount
			case sentOrder:
				o.orders++
			case sentCancel:
				o.orders--
			case sentFill:
				if c.isBuy {
					o.sizes += c.amount
				} else {
					o.sizes -= c.amount
				}
			case sentPrices:
				mark = c.amount
			}
		}
	}
	return accounts, mark
}

// checkState compares every balance, position and order with the clients' records.
func checkState(t *testing.T, url string, desks []*desk) {
	t.Helper()
	accounts, mark := expected(desks)
	for name, want := range accounts {
		var got struct {
			Balances  []struct{ Token, Total string }
			Positions []struct{ Perp, Size string }
			Orders    []struct{}
		}
		status, body := get(t, url+"/v1/accounts/"+name)
		if status != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil {
			t.Fatalf("account %s answers %d %s", name, status, body)
		}
		total, size := "0", "0"
		for _, b := range got.Balances {
			if b.Token == "USDC" {
				total = b.Total
			}
		}
		for _, p := range got.Positions {
			if p.Perp == "BTC" {
				size = p.Size
			}
		}
		if account := name[strings.LastIndexByte(name, 'a')+1:]; account < strconv.Itoa(moneyAccounts) {
			if inUnits(t, total, 2) != want.cents {
				t.Errorf("%s holds %s USDC, its clients say %s", name, total, cents(want.cents))
			}
		} else if inUnits(t, size, 3) != want.sizes || len(got.Orders) != want.orders {
			t.Errorf("%s: position %s and %d orders, its client says %d thousandths and %d", name, size, len(got.Orders), want.sizes, want.orders)
		}
	}
	if mark > 0 {
		_, body := get(t, url+"/v1/perps")
		at := strings.Index(body, `"perp":"BTC"`)
		if at < 0 || !strings.Contains(body[at:at+500], fmt.Sprintf(`"mark_price":"%d.0"`, mark)) {
			t.Errorf("the mark of BTC is not %d", mark)
		}
	}
}

// inUnits reads a decimal as an integer of units of 10^-digits.
func inUnits(t *testing.T, text string, digits int) int64 {
	t.Helper()
	whole, fraction, _ := strings.Cut(text, ".")
	for len(fraction) < digits {
		fraction += "0"
	}
	n, err := strconv.ParseInt(whole+fraction[:digits], 10, 64)
	if err != nil || strings.Trim(fraction[digits:], "0") != "" {
		t.Fatalf("%q is no number with %d decimals", text, digits)
	}
	return n
}
