package risktest

import (
	"maps"
	"strconv"
	"strings"

	"plimsoll/risk"
)

// usualListing is the venue as documented (spec 2.2, 3): what `list usual` lists. USDT and the
// dex xyz are beside it for what one token and one dex cannot show.
var usualListing = []string{
	"token USDC index=0 borrowable supply=1000M borrow=500M user-supply=250M user-borrow=50M",
	"token HYPE index=150 ltv=0.65 supply=10M user-supply=1M width=3M",
	"token BTC index=197 ltv=0.5 supply=2k user-supply=200 width=300k",
	"token USDT index=268 borrowable supply=50M borrow=10M user-supply=5M user-borrow=1M",
	"perp BTC decimals=5 tiers=0:40,150M:20",
	"perp ETH decimals=4 tiers=0:25,100M:15",
	"perp SOL decimals=2 tiers=0:20,70M:10",
	"perp HYPE decimals=2 tiers=0:10,20M:5",
	"perp DOGE decimals=0 tiers=0:10 strict",
	"spot HYPE/USDC base=HYPE quote=USDC index=107",
	"spot BTC/USDC base=BTC quote=USDC index=142",
	"dex xyz",
	"perp GOLD decimals=3 tiers=0:20 dex=xyz",
	"perp NEWS decimals=1 tiers=0:10 dex=xyz no-cross max-age=10s",
}

func (s *scenario) list(w []string) {
	if w[1] == "usual" {
		s.names.dexes = append(s.names.dexes, "main")
		for _, line := range usualListing {
			s.list(strings.Fields("list " + line))
		}
		return
	}
	options := map[string]string{}
	for _, word := range w[3:] {
		key, value, _ := strings.Cut(word, "=")
		options[key] = value
	}
	switch w[1] {
	case "token":
		s.listToken(w[2], options)
	case "perp":
		s.listPerp(w[2], options)
	case "dex":
		s.names.dexes = append(s.names.dexes, w[2])
		n := uint32(len(s.names.dexes) - 1)
		c := risk.Command{Kind: risk.KindListDex}
		c.Ref = [4]uint32{0, n, n, 0}
		s.do(c, nameRecord(w[2]))
	case "spot":
		n := slotOf(&s.names.spots, w[2])
		c := risk.Command{Kind: risk.KindListSpot}
		c.Ref = [4]uint32{place(s.names.tokens, options["quote"]), n, risk.SpotBit | n, place(s.names.tokens, options["base"])}
		s.do(c, nameRecord(w[2]))
	default:
		panic("list what?")
	}
}

// slotOf returns the slot of a name, a new one at the end.
func slotOf(list *[]string, name string) uint32 {
	for i, have := range *list {
		if have == name {
			return uint32(i)
		}
	}
	*list = append(*list, name)
	return uint32(len(*list) - 1)
}

// listed keeps the options a listing was made with, so that a later one says only what changes.
func (s *scenario) listed(key string, options map[string]string) map[string]string {
	all := map[string]string{}
	for word := range strings.FieldsSeq(s.marks["list "+key]) {
		k, v, _ := strings.Cut(word, "=")
		all[k] = v
	}
	maps.Copy(all, options)
	var line []string
	for k, v := range all {
		line = append(line, k+"="+v)
	}
	s.marks["list "+key] = strings.Join(line, " ")
	return all
}

func (s *scenario) listToken(name string, options map[string]string) {
	o := s.listed("token "+name, options)
	slot := slotOf(&s.names.tokens, name)
	c := risk.Command{Kind: risk.KindListToken, Mode: 8, Leverage: 2}
	index, err := strconv.ParseUint(o["index"], 10, 32)
	if err != nil {
		panic(err)
	}
	c.Ref = [4]uint32{0, uint32(index), risk.NoSlot, slot}
	if _, ok := o["borrowable"]; ok {
		c.Flags = risk.FlagBorrowable
	}
	for i, key := range []string{"supply", "borrow", "user-supply", "user-borrow"} {
		s.number(&c, i, o[key])
	}
	rates, limits := risk.Command{Kind: risk.KindPartRates}, risk.Command{Kind: risk.KindPartLimits, Flags: risk.FlagSecond}
	for i, text := range []string{o["ltv"], "0.05", "4.75", "0.8"} {
		s.number(&rates, i, text)
	}
	s.number(&limits, 0, "0.1")
	s.number(&limits, 1, o["width"])
	s.do(c, rates, limits, nameRecord(name))
}

func (s *scenario) listPerp(name string, options map[string]string) {
	o := s.listed("perp "+name, options)
	slot := slotOf(&s.names.perps, name)
	c := risk.Command{Kind: risk.KindListPerp}
	decimals, err := strconv.ParseUint(o["decimals"], 10, 8)
	if err != nil {
		panic(err)
	}
	c.Leverage = uint16(decimals)
	if dex, ok := o["dex"]; ok {
		c.Wallets[0] = uint16(place(s.names.dexes, dex))
	}
	if _, ok := o["strict"]; ok {
		c.Mode = uint8(risk.MarginStrictIsolated)
	}
	if _, ok := o["no-cross"]; ok {
		c.Mode = uint8(risk.MarginNoCross)
	}
	if age, ok := strings.CutSuffix(o["max-age"], "s"); ok {
		s.number(&c, 2, age+"k")
	}
	c.Ref = [4]uint32{0, slot, slot, 0}
	tiers := risk.Command{Kind: risk.KindPartTiers}
	for i, text := range strings.Split(o["tiers"], ",") {
		lower, lever, _ := strings.Cut(text, ":")
		n, err := strconv.ParseUint(lever, 10, 32)
		if err != nil {
			panic(err)
		}
		s.number(&tiers, i, lower)
		tiers.Ref[i], tiers.Mode = uint32(n), uint8(i+1)
	}
	s.do(c, tiers, nameRecord(name))
}
