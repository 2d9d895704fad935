package console

import (
	"fmt"
	"io"
	"strings"
)

// mostLines bounds the live lines, also on a high terminal.
const mostLines = 16

// wipe is what removes the live lines: to the first column, where the terminal's
// echo of a key may have left it, up, and everything below.
func (p *Progress) wipe() string {
	if p.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", p.drawn)
}

// erase removes the live lines.
func (p *Progress) erase() {
	if p.drawn > 0 {
		_, _ = io.WriteString(p.s.Err, p.wipe())
		p.drawn = 0
	}
}

// redraw shows one live line for each running task, as far as there is room.
func (p *Progress) redraw() {
	if p.mode != TTY {
		return
	}
	var out strings.Builder
	out.WriteString(p.wipe())
	width, lines := p.room()
	shown := p.running
	if len(shown) > lines {
		shown = shown[:lines-1]
	}
	for _, t := range shown {
		out.WriteString(p.s.paint(faint, fit(p.live(t), width)) + "\n")
	}
	p.drawn = len(shown)
	if more := len(p.running) - len(shown); more > 0 {
		out.WriteString(p.s.paint(faint, fmt.Sprintf("  and %d more", more)) + "\n")
		p.drawn++
	}
	_, _ = io.WriteString(p.s.Err, out.String())
}

// room is how wide and how many the live lines may be: what has left a terminal
// at its top could not be erased again.
func (p *Progress) room() (width, lines int) {
	const usualWidth, usualHeight, fewest = 80, 24, 2
	width, height := usualWidth, usualHeight
	if p.s.Size != nil {
		if w, h := p.s.Size(); w > 0 && h > 0 {
			width, height = w, h
		}
	}
	return width, min(mostLines, max(fewest, height-1))
}

// live is what a task is doing: its step, and the last line that this wrote.
func (p *Progress) live(t *Task) string {
	const most = 32 // columns of a step's name before its output
	now := p.shown(t.now, false)
	if t.said != "" {
		now = fit(now, most) + " | " + p.shown(t.said, false)
	}
	return fmt.Sprintf("  %s  %s  %s", t.name, Duration(p.s.Now().Sub(t.began)), now)
}

// fit cuts a line to the terminal's width: a line that wraps would break the
// count of lines to erase.
func fit(line string, width int) string {
	line = strings.ReplaceAll(line, "\t", " ")
	used := 0
	for i, r := range line {
		if used += cells(r); used >= width {
			return line[:i]
		}
	}
	return line
}

// cells is how many columns a character takes, or more: from the Hangul on, many
// scripts and all pictures take two.
func cells(r rune) int {
	const wide = 0x1100
	if r >= wide {
		return 2
	}
	return 1
}
