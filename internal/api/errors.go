package api

import (
	"strconv"

	"plimsoll/risk"
)

// Error is why a request was refused before the rules saw it. Its Status is the HTTP
// status; Field and Limit are empty where they do not apply.
type Error struct {
	Status  int
	Code    string // snake_case, one of the codes below or of risk.Reason
	Message string // one sentence a person can act on
	Field   string // such as prices.BTC, tiers[2].lower_bound, commands[7].size
	Limit   string // the named limit that was passed, with its value
}

// Error returns code, field and message in one line.
func (e *Error) Error() string {
	s := "api: " + e.Code
	if e.Field != "" {
		s += " at " + e.Field
	}
	return s + ": " + e.Message
}

// Codes of malformed requests, all with status 400 unless a status is named.
const (
	codeMalformed      = "malformed"       // not JSON, or not the shape of a request
	codeEmptyBatch     = "empty_batch"     // no command at all
	codeUnknownType    = "unknown_type"    // type is not a command
	codeUnknownField   = "unknown_field"   // the command has no such field
	codeDuplicateField = "duplicate_field" // a field, or a name in a map, stands twice
	codeMissingField   = "missing_field"
	codeWrongType      = "wrong_type"     // such as a number where a decimal string belongs
	codeInvalidNumber  = "invalid_number" // exponent, NaN, empty, not digits
	codeTooManyDigits  = "too_many_digits"
	codeUnknownMarket  = "unknown_market"
	codeInvalidValue   = "invalid_value" // not one of the words allowed
	codeInvalidName    = "invalid_name"
	codeNameTooLong    = "name_too_long"
	codeInvalidID      = "invalid_id"
	codeTooDeep        = "too_deep"
	codeLimitExceeded  = "limit_exceeded"
	codeInvalidRecord  = "invalid_record" // binary: kind or shape of a group

	codeUnknownAccount     = "unknown_account"       // 404
	codeUnknownToken       = "unknown_token"         // 404
	codeNotFound           = "not_found"             // 404
	codeMethodNotAllowed   = "method_not_allowed"    // 405
	codeBodyTooLarge       = "body_too_large"        // 413
	codeUnsupportedMedia   = "unsupported_media"     // 415
	codeRingFull           = "ring_full"             // 429
	codeUnavailable        = "unavailable"           // 503: the engine has stopped
	codeNotReady           = "not_ready"             // 503
	codeReadOnly           = "read_only"             // 503: the disk is too full for the journal
	codeSnapshotRunning    = "snapshot_running"      // 409
	codeNoJournal          = "no_journal"            // 409: --data none
	codeInternal           = "internal"              // 500
	codeHeaderTooLarge     = "header_too_large"      // 431
	codeTooManyConnections = "too_many_connections"  // 503
	codeTooManyStreams     = "too_many_streams"      // 429
	codeHistoryGone        = "event_history_passed"  // 410, and as the end of a stream
	codeCursorAhead        = "event_cursor_ahead"    // 409: of a place not reached
	codeTooSlow            = "event_reader_too_slow" // as the end of a stream
	codeShuttingDown       = "shutting_down"         // as the end of a stream
)

// Limits as errors show them.
const (
	limitName     = "name_max=42 bytes"
	limitDigits   = "digits_max=18"
	limitDepth    = "depth_max=6"
	limitCommands = "commands_max=8192"
	limitRecords  = "records_max=8192"
	limitNames    = "price_names_max=1024"
	limitGroup    = "group_max=4096 records"
	limitTiers    = "tiers_max=8"
	limitClients  = "clients_max=1024"
	limitStreams  = "event_streams_max=256"
	limitNearest  = "nearest_max=1000"
)

var (
	_ = [1]struct{}{}[risk.NameMax-42]    // limitName
	_ = [1]struct{}{}[risk.GroupMax-4096] // limitGroup
	_ = [1]struct{}{}[risk.TiersMax-8]    // limitTiers
	_ = [1]struct{}{}[depthMax-6]         // limitDepth
	_ = [1]struct{}{}[commandsMax-8192]   // limitCommands
)

// step is one part of the path to the value being read: a field name or an index.
type step struct {
	name  string
	index int // of an array element; -1 for a field
}

// appendPath writes steps as commands[7].trigger.price.
func appendPath(dst []byte, steps []step) []byte {
	for _, s := range steps {
		if s.index >= 0 {
			dst = append(dst, '[')
			dst = strconv.AppendInt(dst, int64(s.index), 10)
			dst = append(dst, ']')
			continue
		}
		if len(dst) > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, s.name...)
	}
	return dst
}

// failAt reports that the body is not JSON of the shape expected, at byte i.
func (d *Decoder) failAt(i int, message string) {
	d.fail(codeMalformed, "", message+" (at byte "+strconv.Itoa(min(i, len(d.body)))+")", "")
}

// clippedMax is how much of a caller's text an error repeats.
const clippedMax = 48

// clipped returns at most clippedMax bytes of a caller's text for an error.
func clipped(text []byte) string {
	if len(text) > clippedMax {
		return string(text[:clippedMax]) + "…"
	}
	return string(text)
}

func quoted(text []byte) string { return `"` + clipped(text) + `"` }
