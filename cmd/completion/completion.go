// Package completion is the command "completion".
package completion

import (
	"fmt"
	"io"

	"slipway/tools/console"
)

// Command prints what a shell needs to complete the program's command line.
type Command struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Help is the long help.
func (Command) Help() string {
	return `Commands, flags and the names of projects are completed. To set it up:

    source <(slipway completion bash)         in ~/.bashrc
    source <(slipway completion zsh)          in ~/.zshrc
    slipway completion fish | source          in ~/.config/fish/config.fish`
}

// Run prints it on standard output. The shell then calls the program with the
// line in COMP_LINE, which tools/cli answers.
func (c *Command) Run(s console.Streams) error {
	if _, err := io.WriteString(s.Out, code(c.Shell)); err != nil {
		return fmt.Errorf("writing the code: %w", err)
	}
	return nil
}

func code(shell string) string {
	const bash = "complete -o default -o bashdefault -C slipway slipway\n"
	switch shell {
	case "zsh":
		return "autoload -U +X bashcompinit && bashcompinit\n" + bash
	case "fish":
		return `function __slipway_complete
    set -lx COMP_LINE (commandline -cp)
    if test -z (commandline -ct)
        set COMP_LINE "$COMP_LINE "
    end
    slipway
end
complete -c slipway -f -a "(__slipway_complete)"
`
	default:
		return bash
	}
}
