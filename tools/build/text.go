package build

import (
	"fmt"
	"io"
	"slices"
	"strings"
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

// mostReused is up to how many reused projects are worth a line each.
const mostReused = 40

// Table writes what became of each project, for people, and a line that counts.
func (r Report) Table(w io.Writer) error {
	counts := map[Outcome]int{}
	for _, p := range r.Projects {
		counts[p.Outcome]++
	}
	if counts[Cancelled] > 0 && counts[Built]+counts[Failed] == 0 {
		return nil // nothing was begun, and the error says why
	}
	var rows [][]string
	for _, p := range r.Projects {
		if p.Outcome == Reused && counts[Reused] > mostReused {
			continue
		}
		rows = append(rows, []string{p.Name, string(p.Outcome), p.why(), shortDigest(p.Digest), p.took(), p.steps()})
	}
	if len(rows) > 0 {
		if err := console.Table(w, []string{"PROJECT", "ACTION", "REASON", "DIGEST", "TIME", "CACHE"}, rows); err != nil {
			return err
		}
	}
	var said []string
	for _, o := range []Outcome{Built, Reused, Failed, Skipped, Cancelled} {
		if counts[o] > 0 {
			said = append(said, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	if _, err := fmt.Fprintln(w, strings.Join(said, ", ")); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

// why is the reason for what became of the project.
func (r Result) why() string {
	if r.Outcome == Skipped {
		return r.Error
	}
	return r.Reason
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
// and its image by digest. Names choose projects; none means all.
func (r Report) References(w io.Writer, names ...string) error {
	for _, p := range r.Projects {
		if p.Digest == "" || len(names) > 0 && !slices.Contains(names, p.Name) {
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
