package api

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// explain answers GET /v1/accounts/{account}/explain.
func (s *Server) explain(ctx *fasthttp.RequestCtx, name []byte) {
	b := s.sandbox()
	defer s.sandboxes.Put(b)
	slot, isOpen := s.dir.Account(name), false
	seq, err := s.engine.Read(slot, func(m *risk.Machine) {
		isOpen = slot != risk.NoAccount && m.Explain(slot, &b.explained)
	})
	if !s.isRead(ctx, name, isOpen, err) {
		return
	}
	b.reply = appendExplain(b.reply[:0], seq, &b.explained, s.dir)
	s.reply(ctx, http.StatusOK, b.reply, seq)
}

// isRead reports whether an account was there to be read, and answers if not.
func (s *Server) isRead(ctx *fasthttp.RequestCtx, name []byte, isOpen bool, err error) bool {
	switch {
	case err != nil:
		s.fail(ctx, unavailable(err))
	case !isOpen:
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeUnknownAccount, Message: "no account " + quoted(name) + " is open",
			Field: "account",
		})
	}
	return err == nil && isOpen
}

// appendExplain writes the trees of an account. Every node has the same five fields:
//
//	{"name","formula","inputs","value","rounding"}
//
// A node with a formula has an id and its inputs; a leaf has a source and a null formula; a
// term that was explained before is a node without formula whose ref is the id of the other.
func appendExplain(dst []byte, seq uint64, v *risk.ExplainView, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendTextField(dst, "account", dir.AccountName(v.Account))
	dst = appendTextField(dst, "mode", modeName(v.Mode))
	dst = appendTextField(dst, "token", dir.TokenName(v.Token))
	dst = append(appendKey(dst, "trees"), '[')
	depth := uint8(0)
	for i := range v.Nodes {
		n := &v.Nodes[i]
		for ; depth > n.Depth; depth-- {
			dst = append(dst, ']', '}')
		}
		dst = appendNode(appendSep(dst), i, n, dir)
		if n.Formula != "" {
			depth = n.Depth + 1 // its inputs follow
		} else {
			dst = append(dst, ']', '}')
		}
	}
	for ; depth > 0; depth-- {
		dst = append(dst, ']', '}')
	}
	return append(dst, ']', '}')
}

// appendNode writes a node up to the bracket that opens its inputs.
func appendNode(dst []byte, i int, n *risk.ExplainNode, dir *Directory) []byte {
	dst = appendTextField(append(dst, '{'), "name", n.Name)
	if label := termLabel(n.Name); label != "" && n.Formula != "" {
		dst = appendTextField(dst, "label", label)
	}
	dst = appendSubject(dst, &n.Of, dir)
	dst = appendAmountField(dst, "value", n.Value)
	dst = appendKey(dst, "formula")
	if n.Formula != "" {
		dst = appendText(dst, n.Formula)
		dst = appendIntField(dst, "id", int64(i))
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendTextField(dst, "rounding", n.Rounding.String())
	if n.Source != risk.SourceNone {
		dst = appendTextField(dst, "source", n.Source.String())
	}
	if n.Ref >= 0 {
		dst = appendIntField(dst, "ref", int64(n.Ref))
	}
	return append(appendKey(dst, "inputs"), '[')
}

// appendSubject writes what a term is about.
func appendSubject(dst []byte, of *risk.ExplainSubject, dir *Directory) []byte {
	switch of.Kind {
	case risk.SubjectToken:
		return appendTextField(dst, "token", dir.TokenName(of.Slot))
	case risk.SubjectValued:
		dst = appendTextField(dst, "token", dir.TokenName(of.Slot))
		return appendTextField(dst, "in", dir.TokenName(of.In))
	case risk.SubjectDex:
		return appendTextField(dst, "dex", dir.DexName(of.Slot))
	case risk.SubjectPerp:
		return appendTextField(dst, "perp", dir.MarketName(of.Slot))
	case risk.SubjectTier:
		dst = appendTextField(dst, "perp", dir.MarketName(of.Slot))
		return appendUintField(dst, "tier", uint64(of.In))
	case risk.SubjectOrder:
		dst = appendTextField(dst, "market", dir.MarketName(of.Slot))
		return appendUintField(dst, "order", uint64(of.In))
	case risk.SubjectAccount:
	}
	return dst
}

// termLabels say in words what the short names of docs/MODEL.md stand for.
var termLabels = [...]struct{ name, label string }{
	{"PMR", "margin ratio of one settlement token or dex"},
	{"R", "maintenance requirement"},
	{"MM", "maintenance margin of all cross positions"},
	{"cross_MM", "maintenance margin of the cross positions of a dex"},
	{"cross_IM", "initial margin of the cross positions of a dex"},
	{"B", "borrowed for maintenance"},
	{"N", "net balance"},
	{"Nc", "net balance without isolated margin"},
	{"E_iso", "equity of isolated positions"},
	{"AV", "cross account value of a dex"},
	{"LC", "collateral at its liquidation weight"},
	{"LC_of", "one collateral at its liquidation weight"},
	{"C", "collateral capacity: what may be borrowed"},
	{"C_of", "capacity of one collateral"},
	{"V", "value of a collateral up to its cap"},
	{"AAM", "available after maintenance"},
	{"floored", "initial margin, a tenth of the notional at least"},
	{"value", "value with funding"},
}

func termLabel(name string) string {
	for i := range termLabels {
		if termLabels[i].name == name {
			return termLabels[i].label
		}
	}
	return ""
}
