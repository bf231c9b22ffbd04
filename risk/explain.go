package risk

import "plimsoll/fixedpoint"

// ExplainView is every term of an account's ratio and of what stands beside it, as trees
// that re-add exactly.
type ExplainView struct {
	Account uint32
	Mode    Mode
	TimeMs  int64
	Token   uint32        // whose ratio is the highest; standard: collateral of the dex that is
	Nodes   []ExplainNode // trees one after the other, each node before its inputs
}

// ExplainNode is one term. Exactly one of three holds: it has a Formula over the names of
// its inputs, which are the nodes behind it that are one deeper; or a Source, and is a
// leaf; or it stands for the node Ref, which was explained before.
//
// A formula knows + - * / with the usual precedence, parentheses, decimals, the names of
// inputs, and functions: sum(x) and max(x) over all inputs of one name, min(a, b),
// max(a, b), abs(a), and ratio(a, b), which is a / b, 0 where a is not above 0, else null
// where b is not. All of it is exact; the result is then rounded to the decimals of Value.
type ExplainNode struct {
	Name     string
	Of       ExplainSubject
	Formula  string
	Value    Amount
	Rounding Rounding
	Source   ExplainSource
	Depth    uint8
	Ref      int32 // index of the node explained before, or -1
}

// ExplainSubject is what a term is about. A name and a subject together stand for one term.
type ExplainSubject struct {
	Kind SubjectKind
	Slot uint32 // token, dex or market, by kind
	In   uint32 // token in whose units, or place of an order or tier, by kind
}

// SubjectKind says what a subject is.
type SubjectKind uint8

// Subjects.
const (
	SubjectAccount SubjectKind = iota
	SubjectToken               // Slot: token
	SubjectValued              // Slot: token, In: token in whose units
	SubjectDex                 // Slot: dex
	SubjectPerp                // Slot: perp
	SubjectTier                // Slot: perp, In: number of the tier
	SubjectOrder               // Slot: market, In: place among the account's orders
)

// Rounding says how an exact result becomes a value.
type Rounding uint8

// Roundings.
const (
	RoundExact    Rounding = iota // no digit is lost
	RoundFloor                    // toward minus infinity
	RoundCeil                     // toward plus infinity
	RoundHalfEven                 // to the nearest, ties to even
)

var roundingNames = [...]string{"exact", "floor", "ceil", "half_even"}

// String returns the rounding as the HTTP answer shows it.
func (r Rounding) String() string { return roundingNames[min(int(r), len(roundingNames)-1)] }

// ExplainSource says where a leaf comes from.
type ExplainSource uint8

// Sources of leaves.
const (
	SourceNone      ExplainSource = iota
	SourcePrice                   // a mark, an oracle price, an index
	SourceSize                    // of a position or an order
	SourceBalance                 // cash of the account
	SourceParameter               // of a listing, or a named decision
	SourceSetting                 // the account's own, such as leverage
)

var sourceNames = [...]string{"", "price", "size", "balance", "parameter", "setting"}

// String returns the source as the HTTP answer shows it.
func (s ExplainSource) String() string { return sourceNames[min(int(s), len(sourceNames)-1)] }

// Explain fills v with the terms of an account's figures at present prices; false when it
// is not open on this shard. Values come from the functions that decide; what they add up
// from is taken apart here, and risk/risktest adds it up again.
func (m *Machine) Explain(slot uint32, v *ExplainView) bool {
	a := m.accountAt(slot)
	if a == nil {
		return false
	}
	var margin MarginView
	m.readMargin(a, m.evaluate(a), &margin)
	f := m.evaluate(a)
	e := explainer{m: m, a: a, f: f, margin: &margin, nodes: v.Nodes[:0]}
	v.Account, v.Mode, v.TimeMs, v.Token = slot, a.mode, m.timeMs, margin.Token
	if a.mode == ModeStandard {
		e.standard()
	} else {
		e.pooled()
	}
	e.isolatedRooms()
	e.holds()
	v.Nodes = e.nodes
	return true
}

// explainer writes nodes, each before its inputs.
type explainer struct {
	m      *Machine
	a      *account
	f      *figures
	margin *MarginView
	nodes  []ExplainNode
	depth  uint8
}

// term is a node with inputs.
type term struct {
	name     string
	of       ExplainSubject
	formula  string
	rounding Rounding
	value    Amount
}

// open starts a node and reports whether its inputs are to follow, up to close; a term
// that stands already is referred to instead.
func (e *explainer) open(t term) bool {
	node := ExplainNode{Name: t.name, Of: t.of, Value: t.value, Depth: e.depth, Ref: -1}
	for i := range e.nodes {
		if n := &e.nodes[i]; n.Of == t.of && n.Formula != "" && n.Name == t.name {
			node.Ref = int32(i)
			e.nodes = append(e.nodes, node)
			return false
		}
	}
	node.Formula, node.Rounding = t.formula, t.rounding
	e.nodes = append(e.nodes, node)
	e.depth++
	return true
}

func (e *explainer) close() { e.depth-- }

// leaf writes a node without inputs.
func (e *explainer) leaf(name string, of ExplainSubject, source ExplainSource, value Amount) {
	e.nodes = append(e.nodes, ExplainNode{Name: name, Of: of, Source: source, Value: value, Depth: e.depth, Ref: -1})
}

// nothing writes a term that is zero by rule, whatever it would be made of.
func (e *explainer) nothing(name string, of ExplainSubject, decimals uint8) {
	if e.open(term{name, of, "0", RoundExact, exact(i128{}, decimals)}) {
		e.close()
	}
}

func ofToken(q uint32) ExplainSubject { return ExplainSubject{Kind: SubjectToken, Slot: q} }
func ofDex(n uint16) ExplainSubject   { return ExplainSubject{Kind: SubjectDex, Slot: uint32(n)} }

func ofPerp(slot uint16) ExplainSubject { return ExplainSubject{Kind: SubjectPerp, Slot: uint32(slot)} }

func valuedIn(c, q uint32) ExplainSubject  { return ExplainSubject{Kind: SubjectValued, Slot: c, In: q} }
func count(v int64) Amount                 { return exact(fixedpoint.I128(v), 0) }
func (e *explainer) wei(q uint32) uint8    { return e.m.tokens[q].wei }
func (e *explainer) dexWei(n uint16) uint8 { return e.wei(e.m.dexes[n].collateral) }

// dexesOf calls each with every dex the account uses that settles in q, by slot.
func (e *explainer) dexesOf(q uint32, each func(n uint16)) {
	for n := range uint16(DexesMax) {
		if e.f.dexes[n].isUsed && e.m.dexes[n].isListed && e.m.dexes[n].collateral == q {
			each(n)
		}
	}
}

// positionsOf calls each with every open position of a dex, cross or isolated.
func (e *explainer) positionsOf(n uint16, isIsolated bool, each func(i int)) {
	start := int(e.a.positions.start)
	for i := start; i < start+int(e.a.positions.count); i++ {
		if p := &e.m.perps[e.m.positions.perp[i]&^isolatedBit]; p.dexSlot == n && e.m.positions.size[i] != 0 &&
			e.m.positions.isIsolated(i) == isIsolated {
			each(i)
		}
	}
}
