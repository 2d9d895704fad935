package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

const documented = "../../docs/histories.md"

// table collects the rows of stories, which end in any order.
type table struct {
	mu   sync.Mutex
	rows map[string]tally
}

func newTable() *table { return &table{rows: map[string]tally{}} }

func (t *table) add(name string, row tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[name] = row
}

// markdown lists the stories that were told, in their order, and the sums.
func (t *table) markdown(stories []story) string {
	var b strings.Builder
	b.WriteString("| history | runs | built | reused | false skips | needless builds |\n|---|--:|--:|--:|--:|--:|\n")
	var sum tally
	for _, s := range stories {
		if row, ok := t.rows[s.name]; ok {
			b.WriteString(row.markdown(s.name))
			sum.add(row)
		}
	}
	b.WriteString(sum.markdown(fmt.Sprintf("**all %d**", len(t.rows))))
	return b.String()
}

func (t tally) markdown(name string) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", name, t.steps, t.builds, t.reuses, t.falseSkips, t.needless)
}

// sound fails the test for what must not be, also where a story has not said so.
func (t *table) sound(tb testing.TB) {
	tb.Helper()
	for name, row := range t.rows {
		if row.falseSkips+row.needless > 0 {
			tb.Errorf("%s: %d false skips, %d needless builds", name, row.falseSkips, row.needless)
		}
	}
}

// document shows the tables, and compares them with the page or writes it, once
// every story has been told.
func document(t *testing.T, all []story, onNewest, onOld *table) {
	t.Helper()
	onNewest.sound(t)
	onOld.sound(t)
	page := fmt.Sprintf(intro, onNewest.markdown(all), onOld.markdown(all))
	t.Logf("\n%s", page)
	if t.Failed() || len(onNewest.rows) != len(all) || len(onOld.rows) != len(some(all)) {
		return // -run chose some
	}
	if shared.update {
		check(t, os.WriteFile(documented, []byte(page), 0o644))
	}
	if on, err := os.ReadFile(documented); err != nil || string(on) != page {
		t.Errorf("docs/histories.md is out of date (%v): go test ./tools/e2e -run TestHistories -update", err)
	}
}

const intro = `# Histories

What ` + "`slipway build`" + ` did in sequences of commits, clones and accidents, on real git repositories, BuildKit daemons and
registries. Each run is judged by an oracle that knows git and the build manifest, and nothing of slipway: a **false skip** is
the reuse of an image whose content was never built, a **needless build** is one of a content that was recorded as built.
The files in every image, built or reused, are compared with those of the commit (where a project is not hermetic, of the one
that it was built of); the contents recorded in the registry are compared with those that were built. This page is written by ` + "`go test ./tools/e2e -run TestHistories -update`" + `, and the test
fails when it is out of date.

## On distribution 3

%s
## On Debian's docker-registry 2.8

%s`
