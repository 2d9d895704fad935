package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Task is one piece of work on the display. Its methods may be called from one
// goroutine at a time.
type Task struct {
	p     *Progress
	name  string
	began time.Time
	now   string // what it is doing
	said  string // the last line of output of that
	steps map[string]*running
	order []*running
}

// Step is a part of a task.
type Step struct {
	ID    string // tells the steps of a task apart
	Name  string // for people
	Minor bool   // shown only when it has something to say
}

// How says how a step ended.
type How string

// The ends of a step.
const (
	Done   How = "done"
	Cached How = "cached"
	Failed How = "failed"
)

// running is what is known of a step.
type running struct {
	Step
	began time.Time
	over  bool
	log   bytes.Buffer // output that was not shown yet
}

func (t *Task) step(s Step) *running {
	r, ok := t.steps[s.ID]
	if !ok {
		r = &running{Step: s, began: t.p.s.Now()}
		t.steps[s.ID] = r
		t.order = append(t.order, r)
	}
	if s.Name != "" {
		r.Step = s
	}
	return r
}

// pending returns the steps that are running: the minor ones only where there is
// no other, and of those the last, since some of them never say that they are over.
func (t *Task) pending() []*running {
	var steps []*running
	var minor *running
	for _, s := range t.order {
		switch {
		case s.over:
		case s.Minor:
			minor = s
		default:
			steps = append(steps, s)
		}
	}
	if len(steps) == 0 && minor != nil {
		steps = append(steps, minor)
	}
	return steps
}

// Begin says that a step has begun.
func (t *Task) Begin(s Step) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.step(s)
	t.now, t.said = s.Name, ""
	t.p.redraw()
}

// logChunk is how much output of a step plain mode holds back to keep it
// together.
const logChunk = 8 << 10

// mostLog is how much of a step's latest output is kept to be shown.
const mostLog = 1 << 20

// bound forgets the oldest output.
func (r *running) bound() {
	if over := r.log.Len() - mostLog; over > 0 {
		r.log.Next(over)
		_, _ = r.log.ReadBytes('\n') // the rest of that line might be of a secret
	}
}

// Log takes output of a step. It is shown when the step ends, in plain mode also
// before; elsewhere only when it fails.
func (t *Task) Log(s Step, text []byte) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	r := t.step(s)
	r.log.Write(text)
	if line := lastLine(r.log.Bytes()); r.Name == t.now && line != "" {
		t.said = line
	}
	r.bound()
	if p.mode == Plain && r.log.Len() > logChunk && bytes.IndexByte(r.log.Bytes(), '\n') >= 0 {
		p.title(t, r, "running")
		p.flush(t, r, false)
	}
}

// End says how a step ended.
func (t *Task) End(s Step, how How) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	r := t.step(s)
	r.over = true
	if p.mode != Plain && how != Failed {
		r.log = bytes.Buffer{} // only what fails is shown
	}
	if p.mode != Plain || r.Minor && r.log.Len() == 0 && how != Failed {
		return
	}
	said := string(how)
	if how == Done {
		said = Duration(p.s.Now().Sub(r.began))
	}
	p.title(t, r, said)
	p.flush(t, r, true)
}

// title prints the line that a step's output follows.
func (p *Progress) title(t *Task, r *running, how string) {
	p.line(t, fmt.Sprintf("%s (%s)", r.Name, how))
}

// Done ends the task well.
func (t *Task) Done(summary string) { t.finish(green, "✓", summary) }

// Fail ends the task badly. Output that was not shown yet is shown.
func (t *Task) Fail(summary string) {
	p := t.p
	p.mu.Lock()
	p.erase()
	for _, r := range t.order {
		if r.log.Len() > 0 {
			p.title(t, r, "output")
			p.flush(t, r, true)
		}
	}
	p.mu.Unlock()
	t.finish(red, "✗", summary)
}

// Drop ends the task without a word.
func (t *Task) Drop() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.remove(t)
	t.p.redraw()
}

func (t *Task) finish(c color, mark, summary string) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(t)
	if p.mode == Quiet && c != red {
		return
	}
	p.erase()
	took := Duration(p.s.Now().Sub(t.began))
	_, _ = fmt.Fprintf(p.s.Err, "%s %s: %s (%s)\n", p.s.paint(c, mark), t.name, p.summary(summary), took)
	p.redraw()
}

// flush prints the whole lines of a step's output, and with all also what is
// left behind the last of them.
func (p *Progress) flush(t *Task, r *running, all bool) {
	for r.log.Len() > 0 {
		text, err := r.log.ReadString('\n')
		if errors.Is(err, io.EOF) && !all {
			r.log.WriteString(text) // not a whole line yet
			return
		}
		p.line(t, "  "+lastWritten(text))
	}
}

// summary is text of several lines, each as it may be shown.
func (p *Progress) summary(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = p.shown(line, p.s.Color)
	}
	return strings.Join(lines, "\n")
}

// lastLine is the last whole line of some output that is not empty. What is not
// whole might be the beginning of a secret.
func lastLine(log []byte) string {
	log = log[:bytes.LastIndexByte(log, '\n')+1]
	log = bytes.TrimRight(log, "\r\n ")
	return lastWritten(string(log[bytes.LastIndexByte(log, '\n')+1:]))
}

// lastWritten returns what a terminal shows of a line that was overwritten by
// carriage returns.
func lastWritten(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	return line
}
