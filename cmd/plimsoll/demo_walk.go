package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

// This file alone holds floats: chance, and what it is fitted to. What leaves it are
// integers: prices cut to the venue's digits, and factors at 1e-6.

// chance draws, repeatably for a seed.
type chance struct{ *rand.Rand }

func newChance(seed, stream uint64) chance { return chance{rand.New(rand.NewPCG(seed, stream))} }

// spreadE6 draws a factor around 1 at 1e-6: log-normal, sigmaE3 thousandths wide, cut at
// three sigmas.
func (c chance) spreadE6(sigmaE3 int) int64 {
	n := min(max(c.NormFloat64(), -3), 3)
	return int64(math.Exp(n*float64(sigmaE3)/1000) * 1e6)
}

// dynamics is how one perp moves in a day: beta times what BTC does, and a part of its own.
type dynamics struct{ beta, own float64 }

// fitted are the dynamics of all perps, by name, and BTC's own daily volatility.
type fitted struct {
	common float64
	perps  map[string]dynamics
	moved  int // perps with a history of several captures
}

// returns are a perp's log returns between the captures.
type returns [4]float64

// moveDays returns the captures' intervals in days, see universe.Move.
func moveDays() returns { return returns{1, 113.59, 53.64, 1} }

// returnsOf returns a perp's log returns between the captures, each per square root of a
// day, so that long and short intervals weigh alike.
func returnsOf(m *universe.Move) (scaled returns) {
	prices := [...]string{m.Aug21, m.Aug22, m.Dec13, m.Feb05, m.Feb06}
	for i, days := range moveDays() {
		scaled[i] = logReturn(prices[i], prices[i+1]) / math.Sqrt(days)
	}
	return scaled
}

func logReturn(from, to string) float64 {
	a, errA := strconv.ParseFloat(from, 64)
	b, errB := strconv.ParseFloat(to, 64)
	if errA != nil || errB != nil || a <= 0 || b <= 0 {
		return 0
	}
	return math.Log(b / a)
}

// fit takes volatility and correlation from the captures: one factor, BTC, and for each perp
// the part of its returns that the factor explains (least squares) and the root mean square
// of the rest. Perps without a history (listed since, or of a builder dex) get the mean
// last-day beta and spread of their dex.
func fit(u *universe.Universe) fitted {
	f := fitted{perps: map[string]dynamics{}}
	moves := universe.Moves()
	var btc returns
	for i := range moves {
		if moves[i].Perp == "BTC" {
			btc = returnsOf(&moves[i])
		}
	}
	variance := dot(&btc, &btc) / float64(len(btc))
	f.common = math.Sqrt(variance)
	for i := range moves {
		r := returnsOf(&moves[i])
		d := dynamics{beta: dot(&r, &btc) / dot(&btc, &btc)}
		for k := range r {
			rest := r[k] - d.beta*btc[k]
			d.own += rest * rest / float64(len(r))
		}
		d.own = math.Sqrt(d.own)
		f.perps[moves[i].Perp] = d
		f.moved++
	}
	for i := range u.Dexes {
		f.fitDex(u, u.Dexes[i].Name, btc[len(btc)-1])
	}
	return f
}

func dot(a, b *returns) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// fitDex gives the perps of a dex that have no dynamics yet those of the dex's last day.
func (f *fitted) fitDex(u *universe.Universe, dex string, btc float64) {
	var lastDay []float64
	for i := range u.Perps {
		if p := &u.Perps[i]; p.Dex == dex && !p.IsDelisted {
			lastDay = append(lastDay, logReturn(p.PrevDayPx, p.MarkPx))
		}
	}
	if len(lastDay) == 0 || btc == 0 {
		return
	}
	mean, spread := 0.0, 0.0
	for _, r := range lastDay {
		mean += r / float64(len(lastDay))
	}
	for _, r := range lastDay {
		spread += (r - mean) * (r - mean) / float64(len(lastDay))
	}
	d := dynamics{beta: mean / btc, own: math.Sqrt(spread)}
	for i := range u.Perps {
		if p := &u.Perps[i]; p.Dex == dex {
			if _, ok := f.perps[p.Name]; !ok {
				f.perps[p.Name] = d
			}
		}
	}
}

// walker makes ticks: every live perp's mark and oracle, and the spots whose base token has
// a perp, move by a correlated random walk.
type walker struct {
	chance
	common float64 // standard deviation of the factor in one tick
	root   float64 // square root of one tick in days
	assets []walkAsset

	falling int // ticks of a crash still to come
}

// walkAsset is one perp and the spots that follow it.
type walkAsset struct {
	dynamics
	perp       uint32
	szDecimals uint8
	start      float64 // price at the first tick
	moved      float64 // log of the price over start
	fall       float64 // of it, in each tick of a crash
	spots      []walkSpot
}

type walkSpot struct {
	market     uint32
	szDecimals uint8
}

// movedMax bounds a walk that runs for days: within a factor of e^3 of the start.
const movedMax = 3

// newWalker starts at the prices in force. tickMs is the market time of one tick.
func newWalker(seed uint64, m *market, f *fitted, tickMs int64) *walker {
	days := float64(tickMs) / (24 * 3600 * 1000)
	w := &walker{chance: newChance(seed, walkStream), root: math.Sqrt(days)}
	w.common = f.common * w.root
	for i := range m.perps {
		p := &m.perps[i]
		mark, ok := p.MarkPx.V.Int64()
		if !ok || mark <= 0 || p.IsHalted {
			continue
		}
		a := walkAsset{
			dynamics: f.perps[p.Name], perp: p.Slot, szDecimals: p.SzDecimals,
			start: float64(mark) / math.Pow10(int(p.MarkPx.Decimals)),
		}
		for k := range m.spots {
			s := &m.spots[k]
			base := m.token(s.Base)
			if s.Quote == m.numeraire && base != nil && base.OraclePerp == p.Slot {
				a.spots = append(a.spots, walkSpot{market: s.Slot | risk.SpotBit, szDecimals: base.SzDecimals})
			}
		}
		w.assets = append(w.assets, a)
	}
	return w
}

// Streams of chance, so that more accounts do not change the ticks.
const (
	walkStream    = 1
	accountStream = 2
)

// step moves every price by one tick and appends the records of one group.
func (w *walker) step(dst []risk.Command) []risk.Command {
	first := len(dst)
	factor := w.NormFloat64() * w.common
	for i := range w.assets {
		a := &w.assets[i]
		own := a.own * w.root
		drift := (a.beta*a.beta*w.common*w.common + own*own) / 2 // so that the expected price stays
		a.moved += a.beta*factor + own*w.NormFloat64() - drift
		if w.falling > 0 {
			a.moved += a.fall
		}
		a.moved = min(max(a.moved, -movedMax), movedMax)
		price := a.start * math.Exp(a.moved)
		if px := cut(price, a.szDecimals, false); px.Mantissa > 0 {
			dst = addPrice(dst, first, risk.PriceMark, a.perp, px)
			dst = addPrice(dst, first, risk.PriceOracle, a.perp, px)
		}
		for _, s := range a.spots {
			if px := cut(price, s.szDecimals, true); px.Mantissa > 0 {
				dst = addPrice(dst, first, risk.PriceSpot, s.market, px)
			}
		}
	}
	w.falling = max(0, w.falling-1)
	for i := range dst[first:] {
		dst[first+i].GroupLeft = uint16(len(dst) - first - 1 - i)
	}
	return dst
}

// crashed are the falls of 10 October 2025: the price at the end over that at the start.
func crashed() map[string]float64 {
	return map[string]float64{"BTC": 1 - 0.131, "SOL": 1 - 0.26, "HYPE": 1 - 0.5}
}

// crashTime is how long that took, in ms of market time.
const crashTime = 12 * 60 * 1000

// crash has prices fall as on 10 October 2025 within the next twelve minutes; perps that have no
// figure of that day fall by what BTC's fall makes with their beta, but by no more than half.
func (w *walker) crash(m *market, tickMs int64) {
	falls := crashed()
	w.falling = int(max(1, crashTime/tickMs))
	for i := range w.assets {
		a := &w.assets[i]
		fall := max(math.Log(falls["HYPE"]), math.Log(falls["BTC"])*max(1, a.beta))
		for k := range m.perps {
			if f, ok := falls[m.perps[k].Name]; ok && m.perps[k].Slot == a.perp {
				fall = math.Log(f)
			}
		}
		a.fall = fall / float64(w.falling)
	}
}

// cut brings a price to the venue's digits: 5 significant figures and the decimals of the
// market, integers whole.
func cut(price float64, szDecimals uint8, isSpot bool) fixedpoint.Decimal {
	const decimals = 10
	d := fixedpoint.Decimal{Mantissa: int64(price * 1e10), Decimals: decimals}
	if price >= 1e8 {
		d = fixedpoint.Decimal{Mantissa: int64(price)}
	}
	return fixedpoint.QuantizePriceDown(d, szDecimals, isSpot)
}

// addPrice puts a price into the last record of the group that begins at first, four to a
// record.
func addPrice(dst []risk.Command, first int, kind risk.PriceKind, slot uint32, px fixedpoint.Decimal) []risk.Command {
	if len(dst) == first || dst[len(dst)-1].Mode == 4 {
		dst = append(dst, risk.Command{Kind: risk.KindPrices})
	}
	c := &dst[len(dst)-1]
	c.SetPrice(int(c.Mode), kind, slot, px.Mantissa, px.Decimals)
	return dst
}

// volatilities returns the median daily volatility over all fitted perps and BTC's, in
// hundredths of a percent, for people.
func (f *fitted) volatilities() (medianBP, btcBP int64) {
	var all []float64
	for _, d := range f.perps {
		all = append(all, math.Sqrt(d.beta*d.beta*f.common*f.common+d.own*d.own))
	}
	slices.Sort(all)
	return int64(all[len(all)/2] * 1e4), int64(f.common * 1e4)
}
