package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	completion "github.com/posener/complete"

	"slipway/tools/gitrepo"
	"slipway/tools/workspace"
)

// complete answers a shell that asks for the ends of a line (in COMP_LINE), and
// reports whether one does.
func complete(parser *kong.Kong) (bool, error) {
	command, err := kongcompletion.Command(parser, kongcompletion.WithPredictor("project", projects{}))
	if err != nil {
		return false, fmt.Errorf("setting up completion: %w", err)
	}
	repeat(parser.Model.Node, command)
	c := completion.New(parser.Model.Name, command)
	c.Out = parser.Stdout
	return c.Complete(), nil
}

// repeat completes an argument that may be given several times as often as a
// person would ask; kong-completion stops after the first.
func repeat(node *kong.Node, command completion.Command) {
	const often = 32
	args, ok := command.Args.(*kongcompletion.PositionalPredictor)
	if n := len(node.Positional); ok && n > 0 && node.Positional[n-1].IsCumulative() {
		for range often {
			args.Predictors = append(args.Predictors, args.Predictors[n-1])
		}
	}
	for _, child := range node.Children {
		repeat(child, command.Sub[child.Name])
	}
}

// projects completes the names of the projects in HEAD's manifest. Whatever goes
// wrong completes to nothing.
type projects struct{}

// patience is how long a person waits for a completion.
const patience = 2 * time.Second

// Predict is called by the shell's completion.
func (projects) Predict(completion.Args) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	repo, err := gitrepo.Open(ctx, gitrepo.Options{})
	if err != nil {
		return nil
	}
	defer func() { _ = repo.Close() }()
	w, err := workspace.Open(ctx, repo, workspace.Options{})
	if err != nil {
		return nil
	}
	return w.Manifest.Order()
}
