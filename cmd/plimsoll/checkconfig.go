package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// checkConfig says what serve would use, or everything that is wrong with it. It starts
// nothing and changes nothing.
func checkConfig(_ context.Context, p *process) int {
	f, o := newServeFlags()
	f.verb = "check-config"
	f.about = "Takes the flags and the environment of 'plimsoll serve', reads the files that they name, and prints what serve\n" +
		"would use and from where each value comes. Starts nothing and changes nothing. Exit code 2: something is wrong."
	if code, done := p.parse(f); done {
		return code
	}
	faults, warnings := o.examine()
	printf(p.stdout, "plimsoll %s serve would use\n\n", versionText())
	for i := range f.order {
		name := f.order[i].name
		flag := f.set.Lookup(name)
		printf(p.stdout, "  --%-18s  %-28s  %s\n", name, orEmpty(flag.Value.String()), f.source(name))
	}
	printf(p.stdout, "\n")
	o.describe(p)
	for _, w := range append(warnings, p.strayVariables(f)...) {
		printf(p.stdout, "warning: %s\n", w)
	}
	if len(faults) == 0 {
		printf(p.stdout, "ok\n")
		return exitDone
	}
	for _, err := range faults {
		for line := range strings.Lines(err.Error()) { // an error may be several
			printf(p.stderr, "plimsoll check-config: %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return exitUsage
}

func orEmpty(value string) string {
	if value == "" {
		return "-"
	}
	return value
}

// examine returns all that is wrong, and all that is odd.
func (o *serveOptions) examine() (faults []error, warnings []string) {
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	note(o.check())
	_, err := readUniverse(o.universe)
	note(err)
	x, err := o.access.open()
	note(err)
	note(examineAudit(o.access.auditLog))
	if !o.insecure && !o.access.hasTLS() && !isLoopback(o.listen) {
		note(fmt.Errorf("--listen %s: %w", o.listen, errNotLoopback))
	}
	note(o.examineData())
	if x.tls != nil {
		if w := x.tls.Warning(time.Now()); w != "" {
			warnings = append(warnings, "--tls-cert: "+w)
		}
		warnings = append(warnings, keyWarning(o.access.tls.Key)...)
	}
	switch {
	case x.tokens == nil && o.access.authFile == "" && !isLoopback(o.listen) && o.access.tls.ClientCA == "":
		warnings = append(warnings, "no --auth-file and no --tls-client-ca: whoever reaches the address may do everything")
	case x.tokens != nil && len(x.tokens.Infos()) >= o.cfg.ClientsMax:
		warnings = append(warnings, fmt.Sprintf("--auth-file has %d tokens, --clients-max is %d: the last names to send commands "+
			"get none through", len(x.tokens.Infos()), o.cfg.ClientsMax))
	}
	if x.tokens != nil && x.tls == nil && !isLoopback(o.listen) {
		warnings = append(warnings, "no TLS: whoever is between a client and the daemon can read its token")
	}
	return faults, warnings
}

// examineData looks at the data directory without touching it.
func (o *serveOptions) examineData() error {
	if o.data == dataNone {
		return nil
	}
	info, err := os.Stat(o.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // made at the start
	case err != nil:
		return fmt.Errorf("--data: %w", err)
	case !info.IsDir():
		return fmt.Errorf("--data %s is no directory", o.data)
	}
	s, err := readSettings(o.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--data: %w", err)
	}
	if now := settingsOf(&o.cfg); now.AccountsMax != s.AccountsMax || now.ClientsMax != s.ClientsMax {
		return fmt.Errorf("--data %s is kept with --accounts-max %d and --clients-max %d, not %d and %d: they can be changed only after "+
			"a clean stop", o.data, s.AccountsMax, s.ClientsMax, now.AccountsMax, now.ClientsMax)
	}
	return nil
}

// examineAudit looks whether the folder of the audit log is there.
func examineAudit(path string) error {
	if path == auditToStderr || path == dataNone {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err == nil && !info.IsDir() {
		err = errors.New("its folder is none")
	}
	if err != nil {
		return fmt.Errorf("--audit-log: %w", err)
	}
	return nil
}

// keyWarning warns of a key that others can read.
func keyWarning(path string) []string {
	const byOthers = 0o007
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&byOthers != 0 {
		return []string{"--tls-key " + path + " can be read by everybody on this machine: chmod o-rwx"}
	}
	return nil
}

// describe prints what stands in the files, without secrets.
func (o *serveOptions) describe(p *process) {
	x, _ := o.access.open() //nolint:errcheck // examine has told
	if u, err := readUniverse(o.universe); err == nil {
		printf(p.stdout, "universe: %d tokens, %d dexes, %d perps, %d spots\n", len(u.Tokens), len(u.Dexes), len(u.Perps), len(u.Spots))
	}
	if x.tls != nil {
		from, to := x.tls.Valid()
		printf(p.stdout, "TLS: %s, valid %s to %s, %d roots for clients\n", strings.Join(x.tls.Names(), ", "),
			from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), x.tls.ClientRoots())
	} else if !o.access.hasTLS() {
		printf(p.stdout, "TLS: none\n")
	}
	if o.access.authFile == "" {
		printf(p.stdout, "tokens: none are needed\n")
	}
	if x.tokens == nil {
		return
	}
	for _, t := range x.tokens.Infos() {
		printf(p.stdout, "token: %s, scopes %s, rate %s\n", t.Name, t.Scopes, t.Rate)
	}
}

// strayVariables returns a warning for each variable that looks like ours and sets nothing
// of any verb.
func (p *process) strayVariables(f *flags) []string {
	if p.environ == nil {
		return nil
	}
	var warnings []string
	for _, entry := range p.environ() {
		name, _, _ := strings.Cut(entry, "=")
		isKnown := slices.ContainsFunc(f.order, func(o option) bool { return o.envName() == name })
		if strings.HasPrefix(name, envPrefix) && !isKnown {
			warnings = append(warnings, name+" is in the environment and is no flag of serve")
		}
	}
	slices.Sort(warnings)
	return warnings
}
