package build

import (
	"fmt"
	"io"
	"time"

	"slipway/tools/console"
	"slipway/tools/registry"
)

// Text writes a plan as a table for people.
func (p Plan) Text(w io.Writer) error {
	rows := make([][]string, 0, len(p.Projects))
	for _, s := range p.Projects {
		rows = append(rows, []string{s.Name, string(s.Action), s.ContentHash.Short(), s.Reason})
	}
	return console.Table(w, []string{"PROJECT", "ACTION", "CONTENT", "REASON"}, rows)
}

// Table writes what became of each project, for people.
func (r Report) Table(w io.Writer) error {
	rows := make([][]string, 0, len(r.Projects))
	for _, p := range r.Projects {
		rows = append(rows, []string{p.Name, string(p.Outcome), p.Reason, shortDigest(p.Digest), p.took(), p.steps()})
	}
	return console.Table(w, []string{"PROJECT", "ACTION", "REASON", "DIGEST", "TIME", "CACHE"}, rows)
}

func (r Result) took() string {
	if r.Seconds == 0 {
		return "-"
	}
	return console.Duration(time.Duration(r.Seconds * float64(time.Second)))
}

// steps says how many steps of the Dockerfile came from the cache.
func (r Result) steps() string {
	if r.Cached+r.Ran == 0 {
		return "-"
	}
	return fmt.Sprintf("%d hit, %d missed", r.Cached, r.Ran)
}

// References writes the images that are there, one line each: the project's name
// and its image by digest.
func (r Report) References(w io.Writer) error {
	for _, p := range r.Projects {
		if p.Digest == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s %s\n", p.Name, p.Reference()); err != nil {
			return fmt.Errorf("writing references: %w", err)
		}
	}
	return nil
}

func shortDigest(d registry.Digest) string {
	const digits = 12
	if len(d) < len("sha256:")+digits {
		return "-"
	}
	return string(d[:len("sha256:")+digits])
}
