package build

import (
	"slices"
	"strconv"

	"slipway/tools/gitrepo"
)

// samples is how many projects of a new commit are asked about although a hint
// has them.
const samples = 4

// doubted says which of the chosen projects are asked about although the hint has
// them, for their images may be gone: registries expire what is old. That is each
// one that was named, all of them for Verify, and on a commit that is not the
// hint's own a few: other ones on each commit, so that a loss is found in time.
func (d *decider) doubted(chosen []string) []string {
	switch {
	case d.hint == nil || d.Verify || len(d.Projects) > 0:
		return chosen
	case d.hint.Commit == d.Workspace.Commit.ID:
		return nil
	default:
		return sample(chosen, d.Workspace.Commit.ID)
	}
}

// sample takes a few names, from a place in their order that the commit decides.
func sample(names []string, commit gitrepo.ObjectID) []string {
	if len(names) <= samples {
		return names
	}
	sorted := slices.Sorted(slices.Values(names))
	seed, err := strconv.ParseInt(string(commit[:8]), 16, 64)
	if err != nil {
		seed = 0 // not reached: commit ids are hexadecimal
	}
	start := int(seed) % len(sorted)
	return slices.Concat(sorted, sorted)[start : start+samples]
}

// lost reports whether the registry did not have an image that the hint names.
func (d *decider) lost() bool {
	for _, f := range d.known {
		if f.gone {
			return true
		}
	}
	return false
}

// unasked returns those of the chosen projects that only the hint has answered.
func (d *decider) unasked(chosen []string) []string {
	var names []string
	for _, name := range chosen {
		if !d.asked[name] {
			names = append(names, name)
		}
	}
	return names
}
