package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault is one thing that is wrong with a manifest, and where.
type Fault struct {
	File    string // from the root of the repository
	Line    int    // from 1
	Col     int    // from 1, in characters
	Message string
	hint    string
	source  string // the line of the file
}

// Error gives the fault on one line: file:line:col: message.
func (f Fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Message)
}

// Hint says what is allowed there or how to mend it, or is empty.
func (f Fault) Hint() string { return f.hint }

// Excerpt shows the line of the file and a caret under the column, as two lines
// without a line end. A long line is cut around the column.
func (f Fault) Excerpt() string {
	before, after := cut(f.source, f.Col)
	number := fmt.Sprintf("%5d", f.Line)
	blank := strings.Map(keepTabs, before)
	return fmt.Sprintf("%s | %s%s\n%s | %s^", number, before, after, strings.Repeat(" ", len(number)), blank)
}

// Faults are all faults of a manifest, in the order of the file.
type Faults []Fault

// shown bounds what one error prints; a machine-made file can hold any number of faults.
const shown = 50

// Error gives every fault with its line of the file and its hint.
func (fs Faults) Error() string {
	var b strings.Builder
	for i, f := range fs {
		if i == shown {
			fmt.Fprintf(&b, "\nand %d more faults", len(fs)-shown)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.Error() + "\n" + f.Excerpt())
		if f.hint != "" {
			b.WriteString("\n  hint: " + f.hint)
		}
	}
	return b.String()
}

// Warning is something in a manifest that is accepted, but hardly meant.
type Warning Fault

// String gives the warning on one line: file:line:col: message.
func (w Warning) String() string { return Fault(w).Error() }

// Hint says how to mend it, or is empty.
func (w Warning) Hint() string { return w.hint }

// Excerpt shows the line and a caret, as [Fault.Excerpt] does.
func (w Warning) Excerpt() string { return Fault(w).Excerpt() }

func sortFaults(fs Faults) Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return fs
}

// cut gives what an excerpt shows of a line before and from a column, with
// nothing in it that a terminal would obey.
func cut(line string, col int) (before, after string) {
	const margin = 60
	at := 0
	for range col - 1 {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	before, after = line[:at], line[at:]
	if r := lastRunes(before, margin); len(r) < len(before) {
		before = "..." + r
	}
	if r := firstRunes(after, margin); len(r) < len(after) {
		after = r + "..."
	}
	return strings.Map(printable, before), strings.Map(printable, after)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func lastRunes(s string, n int) string {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return s[i:]
}

func printable(r rune) rune {
	if r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return utf8.RuneError
}

func keepTabs(r rune) rune {
	if r == '\t' {
		return r
	}
	return ' '
}
