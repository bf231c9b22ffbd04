package risk

import "slices"

// openClient keeps the name of a client beside its number, so that idempotency ids mean
// the same after a restart. It may be repeated; a number and a name belong together for
// ever.
func (m *Machine) openClient(c *Command) Reason {
	n := c.Other()
	if n >= ClientsMax {
		return ReasonLimitExceeded
	}
	var buf [NameMax]byte
	name := string(c.AppendName(buf[:0]))
	if name == "" {
		return ReasonInvalidListing
	}
	known := slices.Index(m.clients, name)
	switch {
	case known == int(n):
		return ReasonNone
	case known >= 0, int(n) < len(m.clients) && m.clients[n] != "":
		return ReasonInvalidListing
	}
	for len(m.clients) <= int(n) {
		m.clients = append(m.clients, "")
	}
	m.clients[n] = name
	return ReasonNone
}

// ReadClients returns the names of the clients by number, "" for a number not given.
func (m *Machine) ReadClients() []string { return slices.Clone(m.clients) }
