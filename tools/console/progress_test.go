package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// display is a Progress on which time passes only by tick.
type display struct {
	*Progress
	out    *bytes.Buffer
	now    time.Time
	redact *Redactor
}

func newDisplay(mode Mode, change func(*Streams)) *display {
	d := &display{out: &bytes.Buffer{}, now: time.Unix(1000, 0), redact: &Redactor{}}
	s := Streams{Err: d.out, Now: func() time.Time { return d.now }}
	if change != nil {
		change(&s)
	}
	d.Progress = newProgress(s, mode, d.redact)
	return d
}

// tick lets time pass, and then does what happens by itself.
func (d *display) tick(passes time.Duration) {
	d.now = d.now.Add(passes)
	if d.mode == TTY {
		d.redraw()
	} else {
		d.signOfLife()
	}
}

// said is what was written since the last call.
func (d *display) said() string {
	text := d.out.String()
	d.out.Reset()
	return text
}

func expect(tb testing.TB, got string, want ...string) {
	tb.Helper()
	lines := ""
	for _, line := range want {
		lines += line + "\n"
	}
	if diff := cmp.Diff(lines, got); diff != "" {
		tb.Errorf("shown (-want +got):\n%s", diff)
	}
}

func step(id string) Step { return Step{ID: id, Name: "[" + id + "] RUN it"} }

func TestModes(t *testing.T) {
	for name, tt := range map[string]struct {
		mode     Mode
		terminal bool
		want     Mode
	}{
		"auto on a terminal": {Auto, true, TTY},
		"auto in a file":     {Auto, false, Plain},
		"not said":           {"", true, TTY},
		"tty in a file":      {TTY, false, TTY},
		"plain on one":       {Plain, true, Plain},
		"quiet":              {Quiet, true, Quiet},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newProgress(Streams{Terminal: tt.terminal}, tt.mode, nil).mode; got != tt.want {
				t.Errorf("mode %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlainIsOneBlockAStep(t *testing.T) {
	d := newDisplay(Plain, nil)
	web, api := d.Start("web", "never built"), d.Start("api", "changed: x")
	expect(t, d.said(), "web | never built", "api | changed: x")
	web.Begin(step("1/2"))
	api.Begin(step("1/1"))
	web.Log(step("1/2"), []byte("one\nno end"))
	api.Log(step("1/1"), []byte("other\n"))
	expect(t, d.said())
	d.now = d.now.Add(1500 * time.Millisecond)
	web.End(step("1/2"), Done)
	expect(t, d.said(), "web | [1/2] RUN it (1.5s)", "web |   one", "web |   no end")
	web.End(step("2/2"), Cached)
	expect(t, d.said(), "web | [2/2] RUN it (cached)")
	api.End(step("1/1"), Failed)
	expect(t, d.said(), "api | [1/1] RUN it (failed)", "api |   other")
	api.Fail("Dockerfile:1: exit code 1")
	expect(t, d.said(), "✗ api: Dockerfile:1: exit code 1 (1.5s)")
	web.Done("built x")
	expect(t, d.said(), "✓ web: built x (1.5s)")
}

func TestMinorStepsSpeakOnlyWhenTheyHaveTo(t *testing.T) {
	d := newDisplay(Plain, nil)
	web := d.Start("web", "never built")
	minor := func(id string) Step { return Step{ID: id, Name: id, Minor: true} }
	d.said()
	web.End(minor("silent"), Done)
	expect(t, d.said())
	web.Log(minor("speaks"), []byte("a word\n"))
	web.End(minor("speaks"), Done)
	expect(t, d.said(), "web | speaks (0.0s)", "web |   a word")
	web.End(minor("fails"), Failed)
	expect(t, d.said(), "web | fails (failed)")
}

func TestPlainShowsLongOutputInChunks(t *testing.T) {
	d := newDisplay(Plain, nil)
	web := d.Start("web", "never built")
	d.said()
	line := strings.Repeat("x", 1023) + "\n"
	shown := 0
	for range 20 {
		web.Log(step("1/1"), []byte(line))
		text := d.said()
		if text != "" && !strings.HasPrefix(text, "web | [1/1] RUN it (running)\n") {
			t.Errorf("a chunk begins %.40q", text)
		}
		shown += strings.Count(text, "x\n")
	}
	web.End(step("1/1"), Done)
	if shown != 18 || strings.Count(d.said(), "x\n") != 2 {
		t.Errorf("%d lines were shown before the end, want 18 and then 2", shown)
	}
}

func TestAnEndlessLineIsNoChunk(t *testing.T) {
	d := newDisplay(Plain, nil)
	web := d.Start("web", "never built")
	d.said()
	for range 100 {
		web.Log(step("1/1"), bytes.Repeat([]byte("x"), 16<<10))
	}
	if text := d.said(); text != "" {
		t.Errorf("shown before its end: %.80q", text)
	}
	web.Log(step("1/1"), []byte("\nlast\n"))
	if kept := web.steps["1/1"].log.Len(); kept > mostLog {
		t.Errorf("%d bytes are kept", kept)
	}
	web.End(step("1/1"), Done)
	if text := d.said(); !strings.Contains(text, "web |   last\n") || len(text) > mostLog {
		t.Errorf("%d bytes shown at the end", len(text))
	}
}

func TestSignsOfLife(t *testing.T) {
	d := newDisplay(Plain, nil)
	web := d.Start("web", "never built")
	web.Begin(Step{ID: "load", Name: "load", Minor: true})
	web.Begin(step("1/2"))
	d.said()
	d.tick(patience / 2)
	expect(t, d.said())
	web.Log(step("1/2"), []byte("whole\nhalf"))
	d.tick(patience / 2)
	expect(t, d.said(), "web | [1/2] RUN it (running for 30.0s)", "web |   whole")
	d.tick(patience)
	expect(t, d.said(), "web | [1/2] RUN it (running for 1m00s)")
	web.Log(step("1/2"), []byte(" done\n"))
	web.End(step("1/2"), Done)
	expect(t, d.said(), "web | [1/2] RUN it (1m00s)", "web |   half done")
	d.tick(patience)
	expect(t, d.said(), "web | load (running for 1m30s)")
}

func TestFailShowsOutputOnce(t *testing.T) {
	for _, mode := range []Mode{TTY, Quiet} {
		d := newDisplay(mode, nil)
		web := d.Start("web", "never built")
		web.Begin(step("1/2"))
		web.Log(step("1/2"), []byte("all is well\n"))
		web.End(step("1/2"), Done)
		web.Begin(step("2/2"))
		web.Log(step("2/2"), []byte("it broke\n"))
		web.End(step("2/2"), Failed)
		d.erase()
		d.said()
		web.Fail("exit code 1")
		expect(t, d.said(), "web | [2/2] RUN it (output)", "web |   it broke", "✗ web: exit code 1 (0.0s)")
	}
}

func TestQuietShowsOnlyWhatFailed(t *testing.T) {
	d := newDisplay(Quiet, nil)
	web := d.Start("web", "never built")
	web.Begin(step("1/1"))
	web.Log(step("1/1"), []byte("a word\n"))
	web.End(step("1/1"), Done)
	d.tick(time.Hour)
	web.Done("built x")
	d.Close()
	expect(t, d.said())
}

func TestCarriageReturns(t *testing.T) {
	for in, want := range map[string]string{
		"10%\r20%\r100%\n": "100%", "dos\r\n": "dos", "a\rb\r\n": "b", "\r\n": "", "no end\r": "no end",
	} {
		d := newDisplay(Plain, nil)
		web := d.Start("web", "x")
		web.Log(step("1/1"), []byte(in))
		d.said()
		web.End(step("1/1"), Done)
		expect(t, d.said(), "web | [1/1] RUN it (0.0s)", "web |   "+want)
	}
}

func TestSecretsNeverShow(t *testing.T) {
	const secret = "correct horse battery"
	for _, mode := range []Mode{Plain, TTY, Quiet} {
		for cut := 1; cut < len(secret); cut++ {
			d := newDisplay(mode, nil)
			d.redact.Add(secret)
			web := d.Start("web", "uses "+secret)
			web.Begin(Step{ID: "1", Name: "RUN echo " + secret})
			web.Log(Step{ID: "1"}, []byte("before\nit is "+secret[:cut]))
			d.tick(patience)
			web.Log(Step{ID: "1"}, []byte(secret[cut:]+"\nhalf "+secret[:cut]+"\x1b[0m"+secret[cut:]+"\n"))
			d.tick(patience)
			web.End(Step{ID: "1"}, Failed)
			web.Fail("because of " + secret)
			if text := d.said(); strings.Contains(text, secret) || strings.Contains(text, secret[:cut]+"\n") || !strings.Contains(text, "***") {
				t.Fatalf("%s, cut after %d: %q", mode, cut, text)
			}
		}
	}
}

func TestControlCharactersAreNotObeyed(t *testing.T) {
	const hostile = "a\x1b[2Jb\x1b[10Ac\x1b]0;title\ad\x1b]8;;http://x\x1b\\e\x1b(Bf\x07\x08g\u009bh\x7fi\xff\n"
	for _, mode := range []Mode{Plain, TTY, Quiet} {
		d := newDisplay(mode, func(s *Streams) { s.Size = func() (int, int) { return 200, 50 } })
		web := d.Start("web", hostile)
		web.Begin(Step{ID: "1", Name: hostile})
		web.Log(Step{ID: "1"}, []byte(hostile))
		d.tick(patience)
		web.End(Step{ID: "1"}, Failed)
		web.Fail(hostile)
		text := strings.ReplaceAll(d.said(), "\r\x1b[1A\x1b[J", "") // the display's own
		if i := strings.IndexAny(text, "\x1b\a\b\r\u009b\x7f"); i >= 0 {
			t.Errorf("%s: %q", mode, text[max(0, i-20):])
		}
		if !strings.Contains(text, "abcdefghi") {
			t.Errorf("%s: what can be read was lost: %q", mode, text)
		}
	}
}

func TestColoursOfOthers(t *testing.T) {
	const red = "\x1b[31mred"
	if got := clean(red, true); got != red+reset {
		t.Errorf("with colours: %q", got)
	}
	if got := clean(red, false); got != "red" {
		t.Errorf("without: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "plain\t", "\x1b", "\x1b[", "\x1b[31", "\x1b]0;x", "\x1b(B", "\x1bPx\x1b\\y", "é\x1bé"} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, color bool) {
		got := clean(text, color)
		if !color && strings.ContainsFunc(got, func(r rune) bool { return r != 0xfffd && obeyed(r) }) {
			t.Errorf("clean(%q) = %q", text, got)
		}
		if again := clean(clean(text, false), false); again != clean(text, false) {
			t.Errorf("clean is not stable on %q: %q", text, again)
		}
	})
}

// screen is what a terminal shows: it knows the few sequences that the display uses.
type screen struct {
	width, height int
	lines         []string
	row, top      int // top is how many lines have left the screen
	col           int
}

func (s *screen) write(tb testing.TB, text string) {
	tb.Helper()
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines = s.lines[:s.row]
			text = text[3:]
			if s.col != 0 {
				tb.Fatal("erased from the middle of a line")
			}
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexByte(text, 'A')
			up := 0
			for _, digit := range text[2:end] {
				up = up*10 + int(digit-'0')
			}
			if s.row -= up; s.row < s.top {
				tb.Fatalf("moved %d lines up, out of the screen", up)
			}
			text = text[end+1:]
		case text[0] == '\r':
			s.col = 0
			text = text[1:]
		case text[0] == '\n':
			s.row, s.col = s.row+1, 0
			s.top = max(s.top, s.row-s.height+1)
			text = text[1:]
		default:
			end := strings.IndexAny(text, "\r\n\x1b")
			if end < 0 {
				end = len(text)
			}
			s.print(tb, text[:end])
			text = text[end:]
		}
	}
}

func (s *screen) print(tb testing.TB, text string) {
	tb.Helper()
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, "")
	}
	s.lines[s.row] += text
	if s.col += len([]rune(text)); s.col >= s.width && strings.HasPrefix(text, "  ") {
		tb.Fatalf("a live line wraps: %q", text)
	}
}

func TestLiveLines(t *testing.T) {
	width, height := 40, 24
	d := newDisplay(TTY, func(s *Streams) { s.Size = func() (int, int) { return width, height } })
	show := &screen{width: width, height: height}
	expectScreen := func(want ...string) {
		t.Helper()
		show.write(t, d.said())
		if diff := cmp.Diff(want, show.lines); diff != "" {
			t.Errorf("screen (-want +got):\n%s", diff)
		}
	}
	web := d.Start("web", "never built")
	api := d.Start("api", "never built")
	expectScreen("  web  0.0s  never built", "  api  0.0s  never built")
	web.Begin(step("1/2"))
	web.Log(step("1/2"), []byte("compiling\tx\nhalf"))
	d.tick(2 * time.Second)
	expectScreen("  web  2.0s  [1/2] RUN it | compiling x", "  api  2.0s  never built")
	web.Log(step("1/2"), []byte(" of it, and more than the terminal is wide\n"))
	d.tick(0)
	expectScreen("  web  2.0s  [1/2] RUN it | half of it,", "  api  2.0s  never built")
	api.Done("built api")
	expectScreen("✓ api: built api (2.0s)", "  web  2.0s  [1/2] RUN it | half of it,")
	show.write(t, "^C") // the terminal's echo
	web.End(step("1/2"), Done)
	web.Begin(step("2/2"))
	d.tick(time.Minute)
	expectScreen("✓ api: built api (2.0s)", "  web  1m02s  [2/2] RUN it")
	web.Log(step("2/2"), []byte("oh\nno\n"))
	web.End(step("2/2"), Failed)
	web.Fail("exit code 1")
	want := []string{"✓ api: built api (2.0s)", "web | [2/2] RUN it (output)", "web |   oh", "web |   no", "✗ web: exit code 1 (1m02s)"}
	expectScreen(want...)
	late := d.Start("late", "changed: 世界世界世界世界世界世界世界世界")
	d.tick(0)
	expectScreen(append(want, "  late  0.0s  changed: 世界世界世界世界")...)
	late.Drop()
	d.Close()
	expectScreen(want...)
}

func TestMoreTasksThanLines(t *testing.T) {
	height := 6
	d := newDisplay(TTY, func(s *Streams) { s.Size = func() (int, int) { return 80, height } })
	show := &screen{width: 80, height: height}
	var tasks []*Task
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		tasks = append(tasks, d.Start(name, "x"))
		show.write(t, d.said())
	}
	if got := show.lines[len(show.lines)-1]; len(show.lines) != 5 || got != "  and 3 more" {
		t.Errorf("%d lines, the last one %q", len(show.lines), got)
	}
	height = 4 // a smaller window
	d.tick(0)
	for _, task := range tasks {
		task.Done("built")
	}
	d.Close()
	show.write(t, d.said())
	if len(show.lines) != len(tasks) || strings.Contains(strings.Join(show.lines, "\n"), "more") {
		t.Errorf("left behind: %q", show.lines)
	}
}

func TestUnknownSize(t *testing.T) {
	d := newDisplay(TTY, func(s *Streams) { s.Size = func() (int, int) { return 0, 0 } })
	d.Start("web", strings.Repeat("x", 200))
	if got := len(strings.TrimRight(d.said(), "\n")); got != 79 {
		t.Errorf("a line of %d columns, want 79", got)
	}
}

// TestNewProgressTicks is the only one in which time passes.
func TestNewProgressTicks(*testing.T) {
	called := make(chan struct{})
	p := newProgress(Streams{Err: &bytes.Buffer{}}, TTY, nil)
	p.every(time.Millisecond, func() {
		select {
		case called <- struct{}{}:
		case <-p.stop:
		}
	})
	<-called
	<-called
	p.Close()
}
