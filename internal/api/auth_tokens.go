package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// Tokens are the bearer tokens that a server knows, read from lines such as
//
//	# name   scopes       SHA-256 of the token                     options
//	desk-1   read,trade   sha256:5f3c…64 hexadecimal digits…9a0b   rate=5000 burst=10000
//
// Only hashes are kept: a token is 256 bits of chance, so that a plain hash cannot be turned
// round, and the file lets nobody in. Several lines may have one name, such as while a token
// is replaced by another: they are one client and share one rate.
type Tokens struct {
	byPrefix map[uint64]*apiToken // by the first eight bytes of the hash
	list     []*apiToken
}

// apiToken is one line.
type apiToken struct {
	digest [sha256.Size]byte
	scopes Scope
	owner  *owner
}

// owner is what the tokens of one name share.
type owner struct {
	name   string
	client atomic.Int32 // its number + 1; 0 = not yet known
	rate   bucket
}

const (
	tokensMax     = 1024 // lines with a token
	tokenRateMax  = 100_000_000
	secretMin     = 32      // bytes: what is shorter can be guessed
	secretPrefix  = "plim_" // so that secret scanners and people know what they see
	secretBytes   = 32      // of chance, 43 characters
	digestPrefix  = "sha256:"
	tokenNameMax  = clientNameBytesMax
	tokenColumns  = 3
	tokenFileHint = "want: NAME SCOPES sha256:HEX [rate=N] [burst=N]; 'plimsoll token' makes such a line"
)

// NewSecret returns a new token, to be given to who will use it and kept nowhere else.
func NewSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails, as of Go 1.24
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// TokenLine returns the line for the file of tokens.
func TokenLine(name, secret string, scopes Scope, rate Rate) (line string, err error) {
	switch {
	case !isTokenName(name):
		return "", fmt.Errorf("the name is %q, want 1 to %d of 0-9 A-Z a-z _ . : -", name, tokenNameMax)
	case scopes == 0 || scopes&^scopesAll != 0:
		return "", errors.New("no scopes: want some of read,feed,trade,admin")
	case len(secret) < secretMin || len(secret) > secretMax:
		return "", fmt.Errorf("the token has %d bytes, want %d to %d", len(secret), secretMin, secretMax)
	case rate.PerSecond < 0 || rate.Burst < 0 || rate.PerSecond > tokenRateMax || rate.Burst > tokenRateMax:
		return "", fmt.Errorf("rate and burst are %d and %d, want 0 to %d", rate.PerSecond, rate.Burst, tokenRateMax)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("the token has characters that a header cannot carry")
	}
	digest := sha256.Sum256([]byte(secret))
	line = fmt.Sprintf("%s %s %s%x", name, scopes, digestPrefix, digest)
	if rate.PerSecond > 0 {
		line += fmt.Sprintf(" rate=%d", rate.PerSecond)
	}
	if rate.Burst > 0 {
		line += fmt.Sprintf(" burst=%d", rate.Burst)
	}
	return line, nil
}

// ParseScopes reads scopes with commas between them.
func ParseScopes(text string) (Scope, error) {
	var scopes Scope
next:
	for word := range strings.SplitSeq(text, ",") {
		for i, name := range scopeNames {
			if word == name {
				scopes |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("there is no scope %.20q: want some of read,feed,trade,admin", word)
	}
	return scopes, nil
}

// ParseTokens reads a file of tokens. Lines without a rate of their own have that of
// defaults. The error holds every fault, with its line; no part of a hash is in it.
func ParseTokens(text []byte, defaults Rate) (*Tokens, error) {
	t := &Tokens{byPrefix: map[uint64]*apiToken{}}
	owners := map[string]*owner{}
	var faults []error
	number := 0
	for line := range bytes.Lines(text) {
		number++
		columns := strings.Fields(string(line))
		if len(columns) == 0 || columns[0][0] == '#' {
			continue
		}
		if err := t.add(columns, owners, defaults); err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", number, err))
		}
	}
	if len(faults) == 0 && len(t.list) == 0 {
		faults = append(faults, errors.New("it holds no token, so that nobody could do anything: "+tokenFileHint))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// add adds the token of a line.
func (t *Tokens) add(columns []string, owners map[string]*owner, defaults Rate) error {
	if len(columns) < tokenColumns {
		return fmt.Errorf("%d columns; %s", len(columns), tokenFileHint)
	}
	name := columns[0]
	if !isTokenName(name) {
		return fmt.Errorf("the name is %.50q, want 1 to %d of 0-9 A-Z a-z _ . : -", name, tokenNameMax)
	}
	scopes, err := ParseScopes(columns[1])
	if err != nil {
		return err
	}
	k := &apiToken{scopes: scopes}
	digits, ok := strings.CutPrefix(columns[2], digestPrefix)
	if n, err := hex.Decode(k.digest[:], []byte(digits[:min(len(digits), 2*sha256.Size)])); !ok || err != nil ||
		n != sha256.Size || len(digits) != 2*sha256.Size {
		return errors.New("the hash is not sha256: and 64 hexadecimal digits; a token itself does not belong here")
	}
	rate, err := parseRate(columns[tokenColumns:], defaults)
	if err != nil {
		return err
	}
	if k.owner = owners[name]; k.owner == nil {
		k.owner = &owner{name: name}
		k.owner.rate.set(rate)
		owners[name] = k.owner
	}
	prefix := binary.BigEndian.Uint64(k.digest[:])
	switch {
	case k.owner.rate.limit != rate:
		return fmt.Errorf("%s has another rate on a line above; tokens of one name share one", name)
	case t.byPrefix[prefix] != nil:
		return fmt.Errorf("the token of %s stands on a line above already", name)
	case len(t.list) == tokensMax:
		return fmt.Errorf("at most %d tokens fit", tokensMax)
	}
	t.byPrefix[prefix] = k
	t.list = append(t.list, k)
	return nil
}

// parseRate reads the options of a line. Without a burst it is that of one second.
func parseRate(options []string, defaults Rate) (Rate, error) {
	r := Rate{}
	for _, option := range options {
		name, text, _ := strings.Cut(option, "=")
		value, err := strconv.Atoi(text)
		if err != nil || value < 1 || value > tokenRateMax {
			return r, fmt.Errorf("%.40q is no option: want rate=N or burst=N, 1 to %d", option, tokenRateMax)
		}
		switch name {
		case "rate":
			r.PerSecond = value
		case "burst":
			r.Burst = value
		default:
			return r, fmt.Errorf("%.40q is no option: want rate=N or burst=N", option)
		}
	}
	if r.PerSecond == 0 {
		burst := r.Burst
		if r = defaults; burst > 0 {
			r.Burst = burst
		}
	}
	if r.PerSecond > 0 && r.Burst == 0 {
		r.Burst = r.PerSecond
	}
	if r.PerSecond == 0 && r.Burst > 0 {
		return r, errors.New("a burst without a rate")
	}
	return r, nil
}

func isTokenName(name string) bool {
	for i := range len(name) {
		c := name[i]
		isLetter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !isLetter && (c < '0' || c > '9') && !strings.ContainsRune("_.:-", rune(c)) {
			return false
		}
	}
	return name != "" && len(name) <= tokenNameMax
}

// find returns the token with this secret, or nil. Finding it takes as long for one that is
// nearly right as for any other: what is compared are hashes, and all of their bytes.
func (t *Tokens) find(secret []byte) *apiToken {
	if len(secret) > secretMax {
		return nil
	}
	digest := sha256.Sum256(secret)
	k := t.byPrefix[binary.BigEndian.Uint64(digest[:])]
	if k == nil || subtle.ConstantTimeCompare(k.digest[:], digest[:]) != 1 {
		return nil
	}
	return k
}

// has reports whether a token of an earlier reading is still there with all its scopes.
func (t *Tokens) has(old *apiToken) bool {
	k := t.byPrefix[binary.BigEndian.Uint64(old.digest[:])]
	return k != nil && k.digest == old.digest && old.scopes&^k.scopes == 0 && k.owner.name == old.owner.name
}

// inherit takes over what the tokens that t replaces have used up of their rates.
func (t *Tokens) inherit(old *Tokens) {
	owners := map[string]*owner{}
	for _, k := range old.list {
		owners[k.owner.name] = k.owner
	}
	for _, k := range t.list {
		if o := owners[k.owner.name]; o != nil {
			k.owner.client.Store(o.client.Load())
			k.owner.rate.fullAtNs.Store(o.rate.fullAtNs.Load())
		}
	}
}

// TokenInfo is what may be shown of a token.
type TokenInfo struct {
	Name   string
	Scopes Scope
	Rate   Rate
}

// Infos returns the tokens in the order of their lines.
func (t *Tokens) Infos() []TokenInfo {
	infos := make([]TokenInfo, len(t.list))
	for i, k := range t.list {
		infos[i] = TokenInfo{k.owner.name, k.scopes, k.owner.rate.limit}
	}
	return infos
}
