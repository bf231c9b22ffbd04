package api

import (
	"errors"
	"net/http"
	"strconv"

	"plimsoll/internal/engine"
)

// errRecovering is why a server without an engine answers nothing.
var errRecovering = errors.New("recovery is not over: the snapshot and the journal are being read")

// refused says why the engine took nothing.
func (s *Server) refused(err error) *Error {
	switch {
	case errors.Is(err, engine.ErrBusy):
		return &Error{
			Status: http.StatusTooManyRequests, Code: codeRingFull,
			Message: "the ring is full and nothing was applied; send it again after Retry-After seconds",
		}
	case errors.Is(err, engine.ErrReadOnly):
		return s.readOnly()
	case errors.Is(err, engine.ErrTooLarge):
		return &Error{
			Status: http.StatusBadRequest, Code: codeLimitExceeded, Message: err.Error(), Limit: limitRecords,
		}
	case errors.Is(err, engine.ErrMalformed):
		return &Error{Status: http.StatusInternalServerError, Code: codeInternal, Message: err.Error()}
	default:
		return unavailable(err)
	}
}

// unavailable says that the engine has stopped, or stops.
func unavailable(err error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Message: err.Error()}
}

// notReady says why the daemon does not answer yet, or no more.
func notReady(err error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: codeNotReady, Message: err.Error()}
}

// readOnly says that the disk is too full to take commands.
func (s *Server) readOnly() *Error {
	e := &Error{Status: http.StatusServiceUnavailable, Code: codeReadOnly}
	space := "the disk of the data directory is nearly full"
	if free, ok := s.free(); ok {
		space += ": " + mebibytes(free) + " are free"
	}
	if s.freeLow > 0 {
		e.Limit = "free_low_bytes=" + strconv.FormatUint(s.freeLow, 10)
		space += " (the limit is " + mebibytes(s.freeLow) + ")"
	}
	e.Message = space + "; nothing was applied, reads go on: make room, or add disk, and send it again"
	return e
}

// free returns the bytes that the disk of the journal has left, if the engine knows.
func (s *Server) free() (bytes uint64, ok bool) {
	disk, ok := s.engine.(interface {
		Space() (free uint64, isLow bool)
	})
	if !ok || s.engine.Status().NothingIsKept {
		return 0, false
	}
	bytes, _ = disk.Space()
	return bytes, true
}

// mebibytes writes a number of bytes for people.
func mebibytes(bytes uint64) string { return strconv.FormatUint(bytes>>20, 10) + " MiB" }
