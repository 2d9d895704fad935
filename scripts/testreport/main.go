// Command testreport reads what "go test -json" prints and writes it for people:
// a line a package, failures in full, and a closing line with the numbers.
//
//	go test -json ./... | go run ./scripts/testreport
//
// It ends with 1 when something failed, or when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	if !report(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// event is one line of go test -json; see "go doc test2json".
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package, of build events
	Test       string
	Output     string
	Elapsed    float64
}

// tally is what is known so far.
type tally struct {
	out                     io.Writer
	passed, failed, skipped int
	packages                map[string]*progress
	builds                  map[string]*strings.Builder // what the compiler said
}

// progress is a package whose tests run.
type progress struct {
	tests   map[string]*strings.Builder // output of the tests that have not ended, "" for the package's own
	failed  int
	skipped int
	cached  bool
}

// report copies everything worth reading to out, and tells whether all is well.
func report(in io.Reader, out io.Writer) bool {
	t := &tally{out: out, packages: map[string]*progress{}, builds: map[string]*strings.Builder{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		t.line(line)
		if err != nil {
			break
		}
	}
	t.abandoned()
	t.printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return t.failed == 0 && t.passed > 0
}

func (t *tally) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...)
}

// line takes one line; what is no event is printed as it is.
func (t *tally) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		t.printf("%s", line)
		return
	}
	switch {
	case e.Action == "build-output":
		buffer(t.builds, e.ImportPath).WriteString(e.Output)
	case e.Action == "build-fail":
		t.printf("%s", buffer(t.builds, e.ImportPath))
	case e.Package == "":
	case e.Test != "":
		t.test(t.progress(e.Package), e)
	default:
		t.pack(t.progress(e.Package), e)
	}
}

func (t *tally) progress(name string) *progress {
	if t.packages[name] == nil {
		t.packages[name] = &progress{tests: map[string]*strings.Builder{}}
	}
	return t.packages[name]
}

func (t *tally) test(p *progress, e event) {
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			buffer(p.tests, e.Test).WriteString(e.Output)
		}
		return
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		p.skipped++
	case "fail":
		t.failed++
		p.failed++
		t.printf("%s", buffer(p.tests, e.Test))
	default:
		return
	}
	delete(p.tests, e.Test)
}

// pack takes what concerns a whole package.
func (t *tally) pack(p *progress, e event) {
	switch e.Action {
	case "output":
		p.cached = p.cached || strings.HasPrefix(e.Output, "ok") && strings.Contains(e.Output, "(cached)")
		if !strings.HasPrefix(e.Output, "FAIL") { // told by the line of the package
			buffer(p.tests, "").WriteString(e.Output)
		}
	case "pass":
		t.printf("ok    %-45s %s%s\n", e.Package, seconds(e, p), skips(p))
		delete(t.packages, e.Package)
	case "fail":
		t.fail(p, e.Package)
	case "skip":
		delete(t.packages, e.Package) // no tests
	}
}

// fail ends a package; one that failed outside of any test (it does not
// compile, panicked, took too long) counts as a failure of its own.
func (t *tally) fail(p *progress, name string) {
	if p.failed == 0 {
		t.failed++
	}
	for _, test := range slices.Sorted(maps.Keys(p.tests)) {
		t.printf("%s", p.tests[test])
	}
	t.printf("FAIL  %s\n", name)
	delete(t.packages, name)
}

// abandoned are the packages that never ended.
func (t *tally) abandoned() {
	for _, name := range slices.Sorted(maps.Keys(t.packages)) {
		t.fail(&progress{tests: t.packages[name].tests}, name)
	}
}

func seconds(e event, p *progress) string {
	if p.cached {
		return "(cached)"
	}
	return fmt.Sprintf("%.1fs", e.Elapsed)
}

func skips(p *progress) string {
	if p.skipped == 0 {
		return ""
	}
	return fmt.Sprintf(", %d skipped", p.skipped)
}

func buffer(all map[string]*strings.Builder, name string) *strings.Builder {
	if all[name] == nil {
		all[name] = &strings.Builder{}
	}
	return all[name]
}
