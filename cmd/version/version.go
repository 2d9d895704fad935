// Package version is the command "version".
package version

import (
	"fmt"

	"slipway/tools/cli"
	"slipway/tools/console"
)

// Command prints the program's version.
type Command struct{}

// Run prints it on standard output.
func (Command) Run(s console.Streams) error {
	_, err := fmt.Fprintln(s.Out, "slipway", cli.Version())
	return err
}
