package main

import (
	"context"
	"runtime"
	"runtime/debug"
)

// release is the version that is being worked on.
const release = "0.1.0"

// version prints what this binary is.
func version(_ context.Context, p *process) int {
	f := newFlags("version", "Prints the version, the commit it was built from, and the Go version and platform.")
	if code, done := p.parse(f); done {
		return code
	}
	printf(p.stdout, "plimsoll %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitDone
}

// versionText returns the release and the commit that the binary was built from.
func versionText() string {
	commit, isDirty := "", false
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.modified":
				isDirty = s.Value == "true"
			}
		}
	}
	if commit == "" {
		return release
	}
	text := release + "+" + commit[:min(12, len(commit))]
	if isDirty {
		text += "-dirty"
	}
	return text
}
