//go:build amd64 || arm64

package prefetch

import "unsafe"

// line asks for the cache line at p.
//
//go:noescape
func line(p unsafe.Pointer)
