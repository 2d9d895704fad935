package cli

import (
	"context"
	"time"

	"github.com/posener/complete"

	"slipway/tools/gitrepo"
	"slipway/tools/workspace"
)

// projects completes the names of the projects in HEAD's manifest. Whatever goes
// wrong completes to nothing.
type projects struct{}

// patience is how long a person waits for a completion.
const patience = 2 * time.Second

// Predict is called by the shell's completion.
func (projects) Predict(complete.Args) []string {
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
