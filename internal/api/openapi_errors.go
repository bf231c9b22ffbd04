package api

// errorRow says of a code of errors with which status it comes, and when.
type errorRow struct {
	code   string
	status int
	about  string
}

// errorTable lists the codes that a request may be refused with before the rules see it, and
// those that end a stream. The refusals of the rules are those of risk.Reason, with 422.
var errorTable = [...]errorRow{
	{codeMalformed, 400, "not JSON, or not the shape of a request"},
	{codeEmptyBatch, 400, "no command at all"},
	{codeUnknownType, 400, "there is no such command"},
	{codeUnknownField, 400, "the command has no such field"},
	{codeDuplicateField, 400, "a field or a name stands twice"},
	{codeMissingField, 400, "a field is missing"},
	{codeWrongType, 400, "such as a number where a decimal string belongs"},
	{codeInvalidNumber, 400, "not a plain decimal, or out of range"},
	{codeTooManyDigits, 400, "more digits than a number may have"},
	{codeInvalidValue, 400, "not one of the words allowed"},
	{codeInvalidName, 400, "a name with characters that names do not have"},
	{codeNameTooLong, 400, "a name that is too long"},
	{codeInvalidID, 400, "an id of none of the forms allowed"},
	{codeTooDeep, 400, "nested too deep"},
	{codeLimitExceeded, 400, "more than a named limit"},
	{codeInvalidRecord, 400, "a binary record of no known kind or shape"},
	{codeUnauthorized, 401, "no token, or one that is not known"},
	{codeForbidden, 403, "the token lacks the scope"},
	{codeForbiddenHere, 403, "without tokens only this machine may ask"},
	{codeNotFound, 404, "there is no such route"},
	{codeUnknownAccount, 404, "no such account is open"},
	{codeUnknownToken, 404, "no such token is listed"},
	{codeUnknownMarket, 404, "no such perpetual is listed"},
	{codeUnknownProfile, 404, "there is no such profile"},
	{codeMethodNotAllowed, 405, "the route does not take the method"},
	{codeSnapshotRunning, 409, "a snapshot is being taken"},
	{codeNoJournal, 409, "the daemon keeps nothing"},
	{codeCursorAhead, 409, "the cursor is of a place not reached"},
	{codeProfileRunning, 409, "a profile is being taken"},
	{codeHistoryGone, 410, "the events that follow are no longer kept"},
	{codeBodyTooLarge, 413, "the body is above its limit"},
	{codeUnsupportedMedia, 415, "the body is of no known content type"},
	{codeRingFull, 429, "the ring is full and nothing was applied"},
	{codeRateLimited, 429, "the token has sent more than it may"},
	{codeTooManyStreams, 429, "too many event streams are open"},
	{codeHeaderTooLarge, 431, "the header is above its limit"},
	{codeInternal, 500, "a defect of the daemon"},
	{codeUnavailable, 503, "the engine has stopped, or stops"},
	{codeNotReady, 503, "the daemon recovers, starts or drains"},
	{codeReadOnly, 503, "the disk is too full for commands"},
	{codeTooManyConnections, 503, "too many connections are open"},
	{codeTooSlow, 0, "end of a stream: the reader did not keep up"},
	{codeShuttingDown, 0, "end of a stream: the daemon stops"},
}
