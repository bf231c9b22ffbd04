package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// clientHeader carries the name within which a command's id is unique.
const clientHeader = "X-Plimsoll-Client"

// openClient returns the number of a client that this process has not used yet. The number
// goes into the journal, and the answer is awaited, before any command of the client does:
// replay then knows whose ids it remembers. A request that fails here leaves the name to the
// next one. Two first requests at once submit the same record, which may be repeated.
func (s *Server) openClient(ctx *fasthttp.RequestCtx, name []byte) (client uint16, ok bool) {
	client, fault := s.registerClient(name)
	if fault != nil {
		s.fail(ctx, fault)
		return 0, false
	}
	return client, true
}

func (s *Server) registerClient(name []byte) (client uint16, fault *Error) {
	if fault := checkClientName(name); fault != nil {
		return 0, fault
	}
	client, ok := s.dir.claimClient(name, s.clientsMax)
	if !ok {
		return 0, &Error{
			Status: http.StatusBadRequest, Code: codeLimitExceeded, Field: clientHeader,
			Limit:   "clients_max=" + strconv.Itoa(s.clientsMax),
			Message: "too many client names are in use; use one of those, or none",
		}
	}
	// What the machine has, it has from the journal: a snapshot told it after a restart.
	var known []string
	if _, err := s.engine.Read(0, func(m *risk.Machine) { known = m.ReadClients() }); err != nil {
		return 0, unavailable(err)
	}
	if int(client) >= len(known) || known[client] != string(name) {
		if fault := s.submitClient(client, name); fault != nil {
			return 0, fault
		}
	}
	s.dir.openClient(client)
	return client, nil
}

// submitClient has the journal take the number of a client name.
func (s *Server) submitClient(client uint16, name []byte) *Error {
	var group [1]risk.Command
	var result [1]engine.Result
	group[0].Kind = risk.KindOpenClient
	group[0].Ref[risk.RefOther] = uint32(client)
	group[0].SetName(name)
	if err := s.engine.Submit(group[:], result[:]); err != nil {
		return s.refused(err)
	}
	if reason := result[0].Reason; reason != risk.ReasonNone {
		return &Error{
			Status: http.StatusInternalServerError, Code: codeInternal, Field: clientHeader,
			Message: "client " + quoted(name) + " gets no number (" + reason.String() + "); use another name",
		}
	}
	return nil
}

// checkClientName judges a name that is seen for the first time.
func checkClientName(name []byte) *Error {
	e := &Error{Status: http.StatusBadRequest, Code: codeInvalidName, Field: clientHeader}
	switch {
	case len(name) > clientNameBytesMax:
		e.Code, e.Limit, e.Message = codeNameTooLong, limitName, "a client name is longer than 42 bytes"
	case slices.ContainsFunc(name, func(b byte) bool { return b < ' ' || b == 0x7f }):
		e.Message = "a client name has control characters"
	default:
		return nil
	}
	return e
}
