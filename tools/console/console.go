// Package console is what people see: streams, tables, faults with their hints,
// and the progress of work that goes on in parallel. It owns one rule: standard
// output carries the product (a digest, JSON, a matrix), and everything said to a
// person goes to standard error, through here, with known secrets blotted out.
package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// Streams connect a command to the world. A test fills them with buffers.
type Streams struct {
	In  io.Reader
	Out io.Writer // the product
	Err io.Writer // what is said to a person
	// Terminal is whether Err is one. Size then tells its columns and lines as they
	// are now; nil, or 0 from it, is not known.
	Terminal bool
	Size     func() (width, height int)
	Color    bool // Err takes colours
	Now      func() time.Time
}

// Hinter is an error that knows what to do about it.
type Hinter interface{ Hint() string }

// Hinted adds a hint to an error: a sentence that tells what to do, without a
// full stop, printed on a line of its own.
func Hinted(err error, hint string) error { return &hinted{err, hint} }

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }
func (h *hinted) Hint() string  { return h.hint }

// Fail prints an error and the hint it carries.
func (s Streams) Fail(err error) {
	_, _ = fmt.Fprintf(s.Err, "%s %v\n", s.paint(red, "error:"), err)
	if hint := hintOf(err); hint != "" {
		_, _ = fmt.Fprintf(s.Err, "%s %s\n", s.paint(cyan, "hint:"), hint)
	}
}

// hintOf finds the outermost hint of an error and those it wraps.
func hintOf(err error) string {
	if h, ok := err.(Hinter); ok && h.Hint() != "" {
		return h.Hint()
	}
	switch wrapping := err.(type) { //nolint:errorlint // each error of the chain is looked at in turn
	case interface{ Unwrap() error }:
		return hintOf(wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapping.Unwrap() {
			if hint := hintOf(inner); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// Warn prints a warning.
func (s Streams) Warn(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Err, "%s %s\n", s.paint(yellow, "warning:"), fmt.Sprintf(format, args...))
}

// Note prints something good to know.
func (s Streams) Note(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Err, format+"\n", args...)
}

type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	cyan   color = "36"
	faint  color = "2"

	reset = "\x1b[0m"
)

func (s Streams) paint(c color, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + reset
}

// Table writes rows in columns under a header.
func Table(w io.Writer, header []string, rows [][]string) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // a builder takes everything
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return fmt.Errorf("writing table: %w", err)
		}
	}
	return nil
}

// JSON writes a value as indented JSON.
func JSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// Duration prints d for people: "0.4s", "12.3s", "3m05s".
func Duration(d time.Duration) string {
	if d = d.Round(time.Second / 10); d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// Redactor replaces secret values in text that is about to be shown. The zero
// value replaces nothing. Safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	known    map[string]bool
	replacer *strings.Replacer
}

// shortestLine is the length from which one line of a secret of several lines
// is itself taken as secret; "}" and the like stay readable.
const shortestLine = 4

// Add makes a value secret, and each of its lines.
func (r *Redactor) Add(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]bool{}
	}
	lines := strings.Split(secret, "\n")
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(line) >= shortestLine || len(lines) == 1 && line != "" {
			r.known[line] = true
		}
	}
	values := slices.SortedFunc(maps.Keys(r.known), func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b)) // of two that begin alike the longer counts
	})
	var pairs []string
	for _, value := range values {
		pairs = append(pairs, value, "***")
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// Line returns a line of text without the secrets in it.
func (r *Redactor) Line(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return s
	}
	return r.replacer.Replace(s)
}
