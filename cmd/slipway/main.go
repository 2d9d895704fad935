// Slipway is a stateless toolkit for continuous integration that a container
// registry drives. This package puts the commands together; each has a folder of
// its own beside it.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"slipway/cmd/build"
	"slipway/cmd/completion"
	"slipway/cmd/image"
	"slipway/cmd/plan"
	"slipway/cmd/version"
	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
)

// commands are all there are: adding one is a folder and a line.
type commands struct {
	Build      build.Command      `cmd:"" help:"Build what is missing, and record it."`
	Plan       plan.Command       `cmd:"" help:"Say what would be built, and why."`
	Image      image.Command      `cmd:"" help:"Look at, tag, copy and unpack images."`
	Completion completion.Command `cmd:"" help:"Print the set-up of shell completion."`
	Version    version.Command    `cmd:"" help:"Print the version."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

func main() {
	log.SetOutput(io.Discard) // of libraries: what matters comes back from them as errors
	os.Exit(run())
}

// run is the program without its exit, for tests.
func run() int {
	return program().Run(context.Background(), os.Args)
}

func program() cli.Program {
	return cli.Program{
		Commands:    &commands{},
		Name:        "slipway",
		Description: "Build what changed, and only that. The registry is the only state.",
		Streams:     streams(),
		Event:       ci.Detect(os.Getenv),
	}
}

func streams() console.Streams {
	s := console.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now}
	fd := int(os.Stderr.Fd())
	s.Terminal, s.Color = looks(term.IsTerminal(fd), os.Getenv)
	s.Size = func() (width, height int) {
		width, height, _ = term.GetSize(fd)
		return width, height
	}
	return s
}

// looks says whether lines may be redrawn and colours be used: not where standard
// error goes to a file or a dumb terminal, nor colours where they are not wanted
// (https://no-color.org).
func looks(isTerminal bool, getenv func(string) string) (terminal, color bool) {
	terminal = isTerminal && getenv("TERM") != "dumb"
	return terminal, terminal && getenv("NO_COLOR") == ""
}
