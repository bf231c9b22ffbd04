package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"plimsoll/internal/api"
)

// tokenOptions are the flags of plimsoll token.
type tokenOptions struct {
	name    string
	scopes  string
	rate    api.Rate
	file    string
	isStdin bool
}

func newTokenFlags() (*flags, *tokenOptions) {
	o := &tokenOptions{scopes: "read"}
	f := newFlags("token", "Makes a bearer token for 'plimsoll serve --auth-file'. Prints the token, which is kept nowhere and not\n"+
		"shown again, and below it the line for the file, which holds a hash of it only. NAME stands in the audit log, and is\n"+
		"the client within which the ids of commands are unique.")
	f.operand(&o.name, "NAME")
	f.text(&o.scopes, option{
		"scopes", "S,S,…", "What it may do: read (reads, events), feed (prices, funding, clock), trade (commands of accounts), " +
			"admin (listings, parameters, imports, halts, snapshots, profiles). None includes another.",
		"grant as little as will do.",
	})
	f.number(&o.rate.PerSecond, option{
		"rate", "N", "Commands and reads a second; 0 = what --token-rate of the daemon says.",
		"a client that may send more or less than others.",
	})
	f.number(&o.rate.Burst, option{
		"burst", "N", "Commands and reads at once within --rate; 0 = those of one second.", "a client that sends in bursts.",
	})
	f.text(&o.file, option{
		"append", "FILE", "Appends the line to this file, which is made when missing, and prints the token alone.",
		"scripts; send SIGHUP to the daemon afterwards.",
	})
	f.toggle(&o.isStdin, option{
		"secret-stdin", "", "Reads the token from standard input, 32 to 128 visible characters of chance, instead of making one.",
		"another program makes your secrets.",
	})
	return f, o
}

// token makes a token and its line.
func token(_ context.Context, p *process) int {
	f, o := newTokenFlags()
	if code, done := p.parse(f); done {
		return code
	}
	scopes, err := api.ParseScopes(o.scopes)
	if err != nil {
		return p.misused(f, fmt.Errorf("--scopes: %w", err))
	}
	secret := api.NewSecret()
	if o.isStdin {
		if secret, err = readSecret(p.stdin); err != nil {
			return p.misused(f, err)
		}
	}
	line, err := api.TokenLine(o.name, secret, scopes, o.rate)
	if err == nil {
		_, err = api.ParseTokens([]byte(line), api.Rate{PerSecond: 1, Burst: 1})
	}
	if err != nil {
		return p.misused(f, err)
	}
	if o.file != "" {
		if err := appendToken(o.file, line); err != nil {
			printf(p.stderr, "plimsoll token: --append: %v\n", err)
			return exitFault
		}
		line = ""
	}
	if !o.isStdin {
		printf(p.stdout, "%s\n", secret)
	}
	if line != "" {
		printf(p.stdout, "%s\n", line)
	}
	return exitDone
}

// readSecret reads the first line.
func readSecret(r io.Reader) (string, error) {
	if r == nil {
		return "", errors.New("--secret-stdin: there is no standard input")
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("--secret-stdin: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// appendToken appends a line to a file of tokens, which must be one before and after.
func appendToken(path, line string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	line += "\n"
	if _, err := api.ParseTokens(append(text, line...), api.Rate{PerSecond: 1, Burst: 1}); err != nil {
		return fmt.Errorf("%s would be no file of tokens: %w", path, err)
	}
	const tokensMode = 0o640
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, tokensMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Sync(), file.Close())
}
