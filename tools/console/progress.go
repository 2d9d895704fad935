package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Mode is how progress is shown: the values of --progress.
type Mode string

// The modes. Auto is TTY on a terminal and Plain elsewhere.
const (
	Auto  Mode = "auto"
	TTY   Mode = "tty"
	Plain Mode = "plain"
	Quiet Mode = "quiet"
)

// Progress shows tasks that run at the same time. Plain output keeps the lines
// of one step together, each behind its task's name; a terminal gets one live
// line for each running task; quiet shows only what failed. Safe for concurrent
// use.
type Progress struct {
	s      Streams
	mode   Mode
	redact *Redactor

	mu      sync.Mutex
	running []*Task
	drawn   int // live lines on the terminal now
	stop    chan struct{}
	stopped sync.WaitGroup
}

// NewProgress starts a display on s.Err, which nothing else may write to until
// Close. redact may be nil.
func NewProgress(s Streams, mode Mode, redact *Redactor) *Progress {
	if mode == Auto || mode == "" {
		mode = Plain
		if s.Terminal {
			mode = TTY
		}
	}
	if redact == nil {
		redact = &Redactor{}
	}
	p := &Progress{s: s, mode: mode, redact: redact, stop: make(chan struct{})}
	if mode == TTY {
		p.stopped.Add(1)
		go p.animate()
	}
	return p
}

// Close ends the display and leaves the cursor below it.
func (p *Progress) Close() {
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

const frame = 100 * time.Millisecond

func (p *Progress) animate() {
	defer p.stopped.Done()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.redraw()
			p.mu.Unlock()
		}
	}
}

// Task is one piece of work. Its methods may be called from one goroutine at a
// time.
type Task struct {
	p     *Progress
	name  string
	began time.Time
	now   string // what it is doing
	steps map[string]*step
	order []*step
}

type step struct {
	name  string
	began time.Time
	log   bytes.Buffer // output not shown yet (plain), or all of it (otherwise)
}

// Start begins a task. Done or Fail ends it.
func (p *Progress) Start(name, what string) *Task {
	t := &Task{p: p, name: name, now: what, began: p.s.Now(), steps: map[string]*step{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, t)
	if p.mode == Plain {
		p.line(t, what)
	}
	p.redraw()
	return t
}

// Step says that the step called id has begun.
func (t *Task) Step(id, name string) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	s := t.step(id)
	s.name, s.began, t.now = name, p.s.Now(), name
	if p.mode == Plain {
		p.line(t, name)
	}
	p.redraw()
}

// Log keeps output of the step called id, and shows it in plain mode once it
// is long, or when the step ends.
func (t *Task) Log(id string, text []byte) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	s := t.step(id)
	s.log.Write(text)
	if t.p.mode == Plain && s.log.Len() > logChunk {
		t.p.flush(t, s, false)
	}
}

// logChunk is how much output of one step is held back to keep it together.
const logChunk = 8 << 10

// EndStep says how the step called id ended: "done", "cached", "failed".
func (t *Task) EndStep(id, name, how string) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	s := t.step(id)
	if s.name == "" {
		s.name = name
	}
	if p.mode == Plain {
		p.flush(t, s, true)
		took := ""
		if how != "cached" && !s.began.IsZero() {
			took = " " + Duration(p.s.Now().Sub(s.began))
		}
		p.line(t, fmt.Sprintf("%s: %s%s", s.name, how, took))
	}
}

// Done ends the task well.
func (t *Task) Done(summary string) { t.end(green, "✓", summary) }

// Fail ends the task badly. Output that was not shown yet is shown.
func (t *Task) Fail(summary string) {
	t.p.mu.Lock()
	t.p.erase()
	for _, s := range t.order {
		if s.log.Len() > 0 {
			if t.p.mode != Plain {
				t.p.line(t, s.name)
			}
			t.p.flush(t, s, true)
		}
	}
	t.p.mu.Unlock()
	t.end(red, "✗", summary)
}

// Drop ends the task without a word.
func (t *Task) Drop() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.remove(t)
	t.p.redraw()
}

func (t *Task) end(c color, mark, summary string) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(t)
	if p.mode == Quiet && c != red {
		return
	}
	p.erase()
	took := Duration(p.s.Now().Sub(t.began))
	_, _ = fmt.Fprintf(p.s.Err, "%s %s: %s (%s)\n", p.s.paint(c, mark), t.name, p.redact.Line(summary), took)
	p.redraw()
}

func (p *Progress) remove(t *Task) {
	for i, r := range p.running {
		if r == t {
			p.running = append(p.running[:i], p.running[i+1:]...)
			return
		}
	}
}

func (t *Task) step(id string) *step {
	s, ok := t.steps[id]
	if !ok {
		s = &step{}
		t.steps[id] = s
		t.order = append(t.order, s)
	}
	return s
}

// line prints one line of a task.
func (p *Progress) line(t *Task, text string) {
	_, _ = fmt.Fprintf(p.s.Err, "%s %s\n", p.s.paint(cyan, t.name+" |"), p.redact.Line(text))
}

// flush prints the whole lines of a step's output, and with all also what is
// left behind the last of them.
func (p *Progress) flush(t *Task, s *step, all bool) {
	for s.log.Len() > 0 {
		text, err := s.log.ReadString('\n')
		if err == io.EOF && !all {
			s.log.WriteString(text) // not a whole line yet
			return
		}
		p.line(t, "  "+lastWritten(text))
	}
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
	p.erase()
	var out strings.Builder
	for _, t := range p.running {
		took := Duration(p.s.Now().Sub(t.began))
		text := fmt.Sprintf("  %s %s %s", t.name, took, p.redact.Line(t.now))
		out.WriteString(p.s.paint(faint, fit(text, p.s.Width)) + "\n")
	}
	p.drawn = len(p.running)
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
