package manifest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// sourceFile is a file that faults point into.
type sourceFile struct {
	name  string
	src   string
	yaml  bool
	lines []sourceLine // made when the first fault wants to show one
}

type sourceLine struct {
	text  string
	width int // in characters
}

// fault places a message in the file. A position outside of the file, as YAML's
// parser has them behind the last line, is moved to the nearest one inside.
func (s *sourceFile) fault(at position, message, hint string) Fault {
	if s.lines == nil {
		for _, text := range splitLines(s.src, s.yaml) {
			s.lines = append(s.lines, sourceLine{text, utf8.RuneCountInString(text)})
		}
	}
	row := min(max(int(at.line), 1), len(s.lines))
	line, col := s.lines[row-1], int(at.col)
	if row < int(at.line) {
		col = math.MaxInt
	}
	col = min(max(col, 1), line.width+1)
	return Fault{File: s.name, Line: row, Col: col, Message: message, hint: hint, source: line.text}
}

// splitLines splits as the parsers count: JSON knows line feeds, YAML more.
func splitLines(src string, yaml bool) []string {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	if yaml {
		src = strings.NewReplacer("\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(src)
	}
	return strings.Split(src, "\n")
}

// report gathers what is wrong with one manifest.
type report struct {
	file     *sourceFile
	tree     tree
	legacy   bool
	faults   Faults
	warnings []Warning
	spoilt   map[position]bool // places where the file holds no value of the right type
}

// spoil reports a value that could not be read. What would be wrong with the zero
// value that takes its place is not reported again.
func (r *report) spoil(at position, hint, format string, args ...any) {
	if r.spoilt == nil {
		r.spoilt = map[position]bool{}
	}
	r.spoilt[at] = true
	r.faults = append(r.faults, r.file.fault(at, fmt.Sprintf(format, args...), hint))
}

// isSpoilt tells whether one of a value's fields could not be read.
func (r *report) isSpoilt(p path, fields ...string) bool {
	return len(r.spoilt) > 0 && slices.ContainsFunc(fields, func(name string) bool {
		return r.spoilt[r.place(p.to(name), false)]
	})
}

// at reports what is wrong with a value.
func (r *report) at(p path, hint, format string, args ...any) {
	r.found(r.place(p, false), hint, format, args...)
}

// atKey reports what is wrong with the name before a value.
func (r *report) atKey(p path, hint, format string, args ...any) {
	r.found(r.place(p, true), hint, format, args...)
}

func (r *report) found(at position, hint, format string, args ...any) {
	if !r.spoilt[at] {
		r.faults = append(r.faults, r.file.fault(at, fmt.Sprintf(format, args...), hint))
	}
}

func (r *report) warn(at position, hint, format string, args ...any) {
	r.warnings = append(r.warnings, Warning(r.file.fault(at, fmt.Sprintf(format, args...), hint)))
}

func (r *report) place(p path, key bool) position {
	if r.legacy {
		p = legacyPath(p)
	}
	return r.tree.find(p, key)
}
