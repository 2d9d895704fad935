package cli

import "runtime/debug"

// release is set by the linker for released binaries:
// -ldflags "-X slipway/tools/cli.release=v1.2.3".
var release string //nolint:gochecknoglobals // the linker writes it

// Version says which build of the program this is, e.g. "v0.1.0" or
// "devel 1a2b3c4d5e6f".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel " + s.Value[:12]
		}
	}
	return "devel"
}
