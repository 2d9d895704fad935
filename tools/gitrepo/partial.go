package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// Prefetch fetches those of the objects that a partial clone lacks, all in one
// request; reading them one by one would cost one request each. Elsewhere it
// does nothing.
func (r *Repo) Prefetch(ctx context.Context, ids []ObjectID) error {
	if !r.Partial() || r.program == nil || len(ids) == 0 {
		return nil
	}
	here, err := r.program.local(ctx)
	if err != nil {
		return fmt.Errorf("listing the objects of a partial clone: %w", err)
	}
	var absent strings.Builder
	for _, id := range ids {
		if !here[id] {
			here[id] = true // asked for once
			absent.WriteString(string(id) + "\n")
		}
	}
	if absent.Len() == 0 {
		return nil
	}
	cmd := r.program.command(fetchArgs(r.conf.promisor)...)
	cmd.Stdin = strings.NewReader(absent.String())
	if err := cmd.Run(ctx); err != nil {
		return r.missing(fmt.Sprintf("%.40s (and maybe more)", absent.String()), explain(err, r.program.dir))
	}
	return nil
}

// fetchArgs is how git itself fetches what it lacks: only the objects named on
// standard input, no references, no negotiation about history.
func fetchArgs(remote string) []string {
	return []string{
		"-c", "fetch.negotiationAlgorithm=noop", "-c", "maintenance.auto=false", "-c", "gc.auto=0",
		"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin", "--", remote,
	}
}

// local returns the ids of all objects on this machine. It never fetches.
func (g *program) local(ctx context.Context) (map[ObjectID]bool, error) {
	out, err := g.output(ctx, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
	all := make(map[ObjectID]bool, bytes.Count(out, []byte{'\n'}))
	for line := range strings.Lines(string(out)) {
		all[ObjectID(strings.TrimSuffix(line, "\n"))] = true
	}
	return all, err
}
