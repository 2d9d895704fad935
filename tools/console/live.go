package console

import (
	"fmt"
	"io"
	"strings"
)

// mostLines bounds the live lines: more than a terminal's height could not be
// erased again.
const mostLines = 16

// erase removes the live lines.
func (p *Progress) erase() {
	if p.drawn > 0 {
		_, _ = fmt.Fprintf(p.s.Err, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// redraw shows one live line for each running task.
func (p *Progress) redraw() {
	if p.mode != TTY {
		return
	}
	var out strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = min(len(p.running), mostLines)
	for _, t := range p.running[:p.drawn] {
		took := Duration(p.s.Now().Sub(t.began))
		text := fmt.Sprintf("  %s  %s  %s", t.name, took, p.redact.Line(t.now))
		out.WriteString(p.s.paint(faint, fit(text, p.s.Width)) + "\n")
	}
	_, _ = io.WriteString(p.s.Err, out.String())
}

// fit cuts a line to the terminal's width: a line that wraps would break the
// count of lines to erase.
func fit(line string, width int) string {
	if width <= 0 {
		width = 80
	}
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	if runes := []rune(line); len(runes) >= width {
		return string(runes[:width-1])
	}
	return line
}
