package bench

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Load is what a run of the load tool does, in full.
type Load struct {
	URL    string      // of the daemon
	Token  string      // sent as Authorization: Bearer; "" = none
	TLS    *tls.Config // of an https URL; nil = whom the system trusts
	Prefix string      // of the markets and accounts that are made there

	Mode        string // of the accounts: standard, unified or portfolio
	Accounts    int
	Positions   int // open in each account
	Markets     int // perps that are listed; one tick moves them all
	Mix         Mix
	Format      Format
	Batch       int // commands of one request; ticks and reads are always alone
	Connections int // keep-alive, each with one request in flight; 0 = 64, or 8 for large batches
	Seed        uint64

	Rate    Rate // of the open loop, requests a second
	IsMax   bool // search for the highest throughput
	IsCurve bool // latency at fractions of that
	IsEcho  bool // the same against a bare echo server, in turn
	WarmUp  time.Duration
	For     time.Duration // of each measurement
	P99Max  time.Duration // up to which a rate counts as kept up
	Timeout time.Duration // for what is in flight when a measurement is over

	Alarm    func() (Alarm, error) // what wakes the sender; nil = time.Sleep, late by up to a millisecond
	Progress io.Writer             // a line a second; nil = none
	InPlace  bool                  // Progress is a terminal: the line is overwritten
}

// DefaultLoad is the load that plimsoll bench starts from.
func DefaultLoad() Load {
	return Load{
		Prefix: "bench", Mode: "portfolio", Accounts: 10_000, Positions: 4, Markets: 50, Mix: Mix{KindOrder: 1}, Format: FormatJSON,
		Batch: 1, Seed: 1, WarmUp: 2 * time.Second, For: 10 * time.Second, P99Max: 10 * time.Millisecond, Timeout: 10 * time.Second,
	}
}

// Kind is a kind of request.
type Kind uint8

// Kinds of requests.
const (
	KindOrder  Kind = iota // an order that is checked and rests
	KindFill               // a fill that moves a position
	KindPrices             // a tick of all markets
	KindRead               // GET /v1/accounts/{account}/margin
	KindCancel             // of an order that rests
	kindCount
)

var kindNames = [kindCount]string{"order", "fill", "prices", "read", "cancel"}

// String returns the name of a kind in a mix.
func (k Kind) String() string { return kindNames[k] }

// Mix is the weight of each kind among the requests.
type Mix [kindCount]int

// ParseMix reads "order=50,fill=10,read=40", or a kind alone.
func ParseMix(text string) (m Mix, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, weight, hasWeight := strings.Cut(strings.TrimSpace(part), "=")
		kind := slices.Index(kindNames[:], name)
		if kind < 0 {
			return m, fmt.Errorf("the mix names %q, want %s", name, strings.Join(kindNames[:], ", "))
		}
		m[kind] = 1
		if hasWeight {
			if m[kind], err = strconv.Atoi(weight); err != nil || m[kind] < 0 || m[kind] > mixWeightMax {
				return m, fmt.Errorf("the mix gives %s the weight %q, want 0 to %d", name, weight, mixWeightMax)
			}
		}
	}
	if m.total() == 0 {
		return m, fmt.Errorf("the mix %q sends nothing", text)
	}
	return m, nil
}

const mixWeightMax = 1_000_000

func (m *Mix) total() (sum int) {
	for _, weight := range m {
		sum += weight
	}
	return sum
}

// String returns the mix as ParseMix reads it.
func (m Mix) String() string {
	var parts []string
	for k, weight := range m {
		if weight > 0 {
			parts = append(parts, Kind(k).String()+"="+strconv.Itoa(weight))
		}
	}
	if len(parts) == 1 {
		name, _, _ := strings.Cut(parts[0], "=")
		return name
	}
	return strings.Join(parts, ",")
}

// Format is how commands are written.
type Format string

// Formats of commands.
const (
	FormatJSON   Format = "json"   // an object, or an array of them
	FormatLines  Format = "ndjson" // an object a line
	FormatBinary Format = "binary" // 128-byte records, docs/WIRE.md
)

// Rate is how many requests a second are due: a number, or a part of the maximum that is
// found first. The zero value is none.
type Rate struct {
	PerSecond float64
	OfMax     float64 // 0.5 is half of the maximum
}

// ParseRate reads "20000" or "50%".
func ParseRate(text string) (r Rate, err error) {
	number, isPart := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || !(v > 0):
		return r, fmt.Errorf("the rate is %q, want requests a second or a percentage such as 50%%", text)
	case isPart && v > partMax:
		return r, fmt.Errorf("the rate is %q of the maximum, want at most %d%%", text, partMax)
	case isPart:
		return Rate{OfMax: v / 100}, nil
	case v > rateMax:
		return r, fmt.Errorf("the rate is %q, want at most %d", text, rateMax)
	}
	return Rate{PerSecond: v}, nil
}

const (
	rateMax = 100_000_000
	partMax = 1000 // percent: overload is a load too
)

// String returns the rate as ParseRate reads it.
func (r Rate) String() string {
	if r.OfMax > 0 {
		return strconv.FormatFloat(r.OfMax*100, 'f', -1, 64) + "%"
	}
	return strconv.FormatFloat(r.PerSecond, 'f', -1, 64)
}

// Limits of a Load.
const (
	loadAccountsMax = 10_000_000
	loadMarketsMax  = 200
	loadBatchMax    = 4096 // commands: a ring of the daemon must hold them
	loadConnsMax    = 16_384
	loadPrefixMax   = 16 // bytes; accounts are called PREFIX-RUN-NUMBER
)

// Check fills what follows from other fields, and reports every fault.
func (l *Load) Check() error {
	var faults []error
	within := func(name string, v, least, most int) {
		if v < least || v > most {
			faults = append(faults, fmt.Errorf("%s is %d, want %d to %d", name, v, least, most))
		}
	}
	const smallBatch, connsSmall, connsLarge = 8, 64, 8
	if l.Connections == 0 {
		l.Connections = connsSmall
		if l.Batch > smallBatch {
			l.Connections = connsLarge
		}
	}
	within("accounts", l.Accounts, 1, loadAccountsMax)
	within("connections", l.Connections, 1, min(loadConnsMax, max(1, l.Accounts)))
	within("markets", l.Markets, 1, loadMarketsMax)
	within("positions", l.Positions, 0, l.Markets)
	within("batch", l.Batch, 1, loadBatchMax)
	if l.Mix.total() == 0 {
		faults = append(faults, errors.New("the mix sends nothing"))
	}
	if l.Format != FormatJSON && l.Format != FormatLines && l.Format != FormatBinary {
		faults = append(faults, fmt.Errorf("format is %q, want json, ndjson or binary", l.Format))
	}
	if l.Mode != "standard" && l.Mode != "unified" && l.Mode != "portfolio" {
		faults = append(faults, fmt.Errorf("mode is %q, want standard, unified or portfolio", l.Mode))
	}
	if len(l.Prefix) == 0 || len(l.Prefix) > loadPrefixMax || strings.Trim(l.Prefix, prefixLetters) != "" {
		faults = append(faults, fmt.Errorf("prefix is %q, want 1 to %d letters and digits", l.Prefix, loadPrefixMax))
	}
	if l.WarmUp < 0 || l.For <= 0 || l.P99Max <= 0 || l.Timeout <= 0 {
		faults = append(faults, fmt.Errorf("times are %s, %s, %s, %s, want more than 0", l.WarmUp, l.For, l.P99Max, l.Timeout))
	}
	if u, err := url.Parse(l.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		faults = append(faults, fmt.Errorf("the URL is %q, want http://HOST:PORT or https://HOST:PORT", l.URL))
	}
	if l.Rate == (Rate{}) && !l.IsMax && !l.IsCurve {
		l.Rate = Rate{OfMax: 0.5}
	}
	return errors.Join(faults...)
}

const prefixLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// needsMax reports whether the maximum has to be found.
func (l *Load) needsMax() bool { return l.IsMax || l.IsCurve || l.Rate.OfMax > 0 }
