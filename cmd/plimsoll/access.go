package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"plimsoll/internal/api"
)

// accessOptions are the flags of plimsoll serve about who may do what, and how much.
type accessOptions struct {
	authFile string
	auditLog string
	tls      api.TLSFiles
	limits   api.Limits
	rate     api.Rate
}

// auditToStderr is the --audit-log that writes where the log is written.
const auditToStderr = "stderr"

func defaultAccess() accessOptions {
	return accessOptions{auditLog: auditToStderr, tls: api.TLSFiles{Min: "1.2"}, limits: api.DefaultLimits()}
}

// addFlags adds the flags about tokens and TLS.
func (a *accessOptions) addFlags(f *flags) {
	f.text(&a.authFile, option{
		"auth-file", "FILE", "Bearer tokens with their scopes, a line each, hashed; every request but /healthz then needs one. " +
			"Read again on SIGHUP.",
		"anybody else can reach the address; 'plimsoll token' makes the lines.",
	})
	f.text(&a.auditLog, option{
		"audit-log", "FILE|stderr|none", "Where a JSON line for each action of scope admin goes: who, what, outcome, seq. " +
			"A file is opened anew on SIGHUP.",
		"keep it apart from the log, with other rights and for longer.",
	})
	f.text(&a.tls.Cert, option{
		"tls-cert", "FILE", "The server's certificate and those between it and its root, as PEM. Read again on SIGHUP.",
		"serve other machines; without it an address that is not loopback is refused.",
	})
	f.text(&a.tls.Key, option{"tls-key", "FILE", "The key of --tls-cert, as PEM.", "it goes with --tls-cert."})
	f.text(&a.tls.ClientCA, option{
		"tls-client-ca", "FILE", "Certificates, as PEM, of which one must have signed that of a client (mutual TLS); tokens are " +
			"asked for all the same. Read again on SIGHUP.",
		"only known machines may connect.",
	})
	f.text(&a.tls.Min, option{"tls-min", "1.2|1.3", "The oldest version of TLS spoken.", "\"1.3\" when every client speaks it."})
	a.addLimitFlags(f)
}

// addLimitFlags adds the flags about how much one peer can take.
func (a *accessOptions) addLimitFlags(f *flags) {
	l := &a.limits
	f.number(&l.BodyBytes, option{
		"body-max", "BYTES", "Largest body of a request; beyond, 413.",
		"smaller when many strangers connect: each connection may hold one in memory.",
	})
	f.number(&l.HeaderBytes, option{
		"header-max", "BYTES", "Largest header of a request; beyond, 431.", "a proxy in front adds much to it.",
	})
	f.number(&l.Connections, option{
		"connections-max", "N", "Connections open at once; beyond, 503 and closed.",
		"more clients; each costs a file descriptor and about 40 KB.",
	})
	f.number(&l.ConnectionsPerIP, option{
		"connections-per-ip", "N", "Connections open at once from one address; 0 = as many as --connections-max.",
		"no single machine may take them all; not behind a proxy, which is one address.",
	})
	f.duration(&l.Read, option{
		"read-timeout", "TIME", "From the first byte of a request to its last, and for a TLS handshake; beyond, 408 and closed.",
		"shorter against peers that trickle, longer for slow lines with large batches.",
	})
	f.duration(&l.Write, option{
		"write-timeout", "TIME", "For a peer to take a reply, or a part of an event stream.", "slow lines, or peers that stop reading.",
	})
	f.duration(&l.Idle, option{
		"idle-timeout", "TIME", "Between two requests of a connection.",
		"shorter frees connections sooner; longer spares clients that rarely send a new handshake.",
	})
	f.number(&a.rate.PerSecond, option{
		"token-rate", "N", "Commands and reads a second of each token without a rate of its own in --auth-file; beyond, 429. " +
			"0 = no limit.",
		"one client must not take what belongs to all.",
	})
	f.number(&a.rate.Burst, option{
		"token-burst", "N", "Commands and reads at once within --token-rate; 0 = those of one second.", "clients that send in bursts.",
	})
}

// check returns everything that is wrong with the flags; files are not looked at.
func (a *accessOptions) check() error {
	faults := []error{a.limits.Check()}
	if (a.tls.Cert == "") != (a.tls.Key == "") {
		faults = append(faults, errors.New("--tls-cert and --tls-key go together"))
	}
	if a.tls.ClientCA != "" && a.tls.Cert == "" {
		faults = append(faults, errors.New("--tls-client-ca needs --tls-cert and --tls-key"))
	}
	if a.tls.Min != "1.2" && a.tls.Min != "1.3" {
		faults = append(faults, fmt.Errorf("--tls-min is 1.2 or 1.3, not %q", a.tls.Min))
	}
	const rateMax = 100_000_000
	if r := a.rate; r.PerSecond < 0 || r.PerSecond > rateMax || r.Burst < 0 || r.Burst > rateMax {
		faults = append(faults, fmt.Errorf("--token-rate, --token-burst are %d, %d, want 0 to %d", r.PerSecond, r.Burst, rateMax))
	} else if r.PerSecond == 0 && r.Burst > 0 {
		faults = append(faults, errors.New("--token-burst needs --token-rate"))
	}
	return errors.Join(faults...)
}

func (a *accessOptions) hasTLS() bool { return a.tls.Cert != "" }

// access is who may do what, as read from the files.
type access struct {
	options *accessOptions
	tokens  *api.Tokens
	tls     *api.TLS // nil: none
	audit   *auditFile
}

// open reads the files and returns everything that is wrong with them. The audit log is not
// opened yet.
func (a *accessOptions) open() (*access, error) {
	x := &access{options: a}
	var tokensErr, tlsErr error
	x.tokens, tokensErr = a.readTokens()
	if a.hasTLS() {
		if x.tls, tlsErr = api.NewTLS(a.tls); tlsErr != nil {
			tlsErr = fmt.Errorf("TLS: %w", tlsErr)
		}
	}
	return x, errors.Join(tokensErr, tlsErr)
}

// readTokens reads --auth-file; nil without one.
func (a *accessOptions) readTokens() (*api.Tokens, error) {
	if a.authFile == "" {
		return nil, nil //nolint:nilnil // no tokens is an answer, and no fault
	}
	info, err := os.Stat(a.authFile)
	if err != nil {
		return nil, fmt.Errorf("--auth-file: %w", err)
	}
	const writableByOthers = 0o002
	if info.Mode().Perm()&writableByOthers != 0 {
		return nil, fmt.Errorf("--auth-file %s: everybody on this machine can write to it and so make a token: chmod o-w", a.authFile)
	}
	text, err := os.ReadFile(a.authFile)
	if err != nil {
		return nil, fmt.Errorf("--auth-file: %w", err)
	}
	tokens, err := api.ParseTokens(text, a.rate)
	if err != nil {
		return nil, fmt.Errorf("--auth-file %s: %w", a.authFile, err)
	}
	return tokens, nil
}

// openAudit opens the audit log.
func (x *access) openAudit(stderr io.Writer) error {
	x.audit = &auditFile{path: x.options.auditLog, out: stderr}
	return x.audit.reopen()
}

// configure gives a server what it needs to know.
func (x *access) configure(c *api.Config) {
	c.Tokens, c.Limits = x.tokens, x.options.limits
	if x.tls != nil {
		c.TLS = x.tls.Config()
	}
	if x.options.auditLog != dataNone {
		c.Audit = slog.New(slog.NewJSONHandler(x.audit, nil))
	}
}

// reload reads the files again, each on its own: one that is wrong stays as it was.
func (x *access) reload(server *api.Server, log *slog.Logger) {
	if x.tokens != nil {
		if tokens, err := x.options.readTokens(); err != nil {
			log.Error("the tokens stay as they were", "error", err)
		} else {
			server.SetTokens(tokens)
			log.Info("tokens read", "auth_file", x.options.authFile, "tokens", len(tokens.Infos()))
		}
	}
	if x.tls != nil {
		if err := x.tls.Reload(); err != nil {
			log.Error("TLS stays as it was", "error", err)
		} else {
			x.logTLS(log)
		}
	}
	if err := x.audit.reopen(); err != nil {
		log.Error("the audit log stays as it was", "error", err)
	}
}

// logTLS says what is used.
func (x *access) logTLS(log *slog.Logger) {
	_, to := x.tls.Valid()
	log.Info("TLS", "names", strings.Join(x.tls.Names(), ","), "valid_until", to.UTC().Format(time.RFC3339),
		"client_roots", x.tls.ClientRoots(), "min", x.options.tls.Min)
	if warning := x.tls.Warning(time.Now()); warning != "" {
		log.Warn(warning, "tls_cert", x.options.tls.Cert)
	}
}

// logStart says who may do what.
func (x *access) logStart(log *slog.Logger, listen string) {
	if x.tls != nil {
		x.logTLS(log)
	}
	switch {
	case x.tokens != nil:
		log.Info("tokens read", "auth_file", x.options.authFile, "tokens", len(x.tokens.Infos()))
		if x.tls == nil && !isLoopback(listen) {
			log.Warn("no TLS: whoever is between a client and this daemon can read its token", "listen", listen)
		}
	case !isLoopback(listen) && (x.tls == nil || x.tls.ClientRoots() == 0):
		log.Warn("no credentials: whoever reaches the address may do everything", "listen", listen)
	}
}

// isLoopback reports whether only this machine can reach an address to listen on.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// auditFile is a log file that can be moved away and opened anew while it is written to.
type auditFile struct {
	path string

	mu   sync.Mutex
	out  io.Writer
	file *os.File // nil: out is not ours
}

// reopen opens the path again.
func (a *auditFile) reopen() error {
	if a.path == auditToStderr || a.path == dataNone {
		return nil
	}
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, settingsMode)
	if err != nil {
		return fmt.Errorf("--audit-log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.file
	a.out, a.file = file, file
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write writes one line.
func (a *auditFile) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.out.Write(line)
}

// close ends the file.
func (a *auditFile) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.out, a.file = io.Discard, nil
	return err
}

// close ends the audit log.
func (x *access) close(log *slog.Logger) {
	if err := x.audit.close(); err != nil {
		log.Warn("the audit log was not closed well", "error", err)
	}
}
