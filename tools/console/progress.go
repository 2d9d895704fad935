package console

import (
	"fmt"
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

// Progress shows tasks that run at the same time. Plain output has a line for
// each step when it ends, with its output below it, and each line behind its
// task's name; a terminal gets one live line for each running task; quiet shows
// only what failed. Safe for concurrent use.
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
	p := newProgress(s, mode, redact)
	switch p.mode {
	case TTY:
		p.every(frame, p.redraw)
	case Plain:
		p.every(patience, p.signOfLife)
	case Auto, Quiet:
	}
	return p
}

// newProgress is a display on which nothing happens by itself.
func newProgress(s Streams, mode Mode, redact *Redactor) *Progress {
	if mode == Auto || mode == "" {
		mode = Plain
		if s.Terminal {
			mode = TTY
		}
	}
	if redact == nil {
		redact = &Redactor{}
	}
	return &Progress{s: s, mode: mode, redact: redact, stop: make(chan struct{})}
}

const (
	frame = 100 * time.Millisecond
	// patience is how long plain output may say nothing of a running step: CI
	// systems end jobs that are silent for minutes.
	patience = 30 * time.Second
)

// every calls do until Close.
func (p *Progress) every(d time.Duration, do func()) {
	p.stopped.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.mu.Lock()
				do()
				p.mu.Unlock()
			}
		}
	})
}

// Close ends the display and leaves the cursor below it.
func (p *Progress) Close() {
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Start begins a task; what says why. Done, Fail or Drop ends it.
func (p *Progress) Start(name, what string) *Task {
	t := &Task{p: p, name: name, now: what, began: p.s.Now(), steps: map[string]*running{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, t)
	if p.mode == Plain {
		p.line(t, what)
	}
	p.redraw()
	return t
}

func (p *Progress) remove(t *Task) {
	for i, r := range p.running {
		if r == t {
			p.running = append(p.running[:i], p.running[i+1:]...)
			return
		}
	}
}

// signOfLife shows which steps are still running, and their output so far.
func (p *Progress) signOfLife() {
	for _, t := range p.running {
		for _, s := range t.pending() {
			if took := p.s.Now().Sub(s.began); took >= patience {
				p.title(t, s, "running for "+Duration(took))
				p.flush(t, s, false)
			}
		}
	}
}

// line prints one line of a task.
func (p *Progress) line(t *Task, text string) {
	_, _ = fmt.Fprintf(p.s.Err, "%s %s\n", p.s.paint(cyan, t.name+" |"), p.shown(text, p.s.Color))
}
