package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"slipway/tools/console"
)

func TestFail(t *testing.T) {
	plain := errors.New("it broke")
	inner, outer := console.Hinted(plain, "mend it"), "call for help"
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"no hint":                 {plain, "error: it broke\n"},
		"hint":                    {inner, "error: it broke\nhint: mend it\n"},
		"wrapped":                 {fmt.Errorf("building: %w", inner), "error: building: it broke\nhint: mend it\n"},
		"the outermost":           {console.Hinted(fmt.Errorf("building: %w", inner), outer), "error: building: it broke\nhint: call for help\n"},
		"an empty one is none":    {console.Hinted(inner, ""), "error: it broke\nhint: mend it\n"},
		"joined":                  {errors.Join(plain, inner), "error: it broke\nit broke\nhint: mend it\n"},
		"the first of the joined": {fmt.Errorf("%w, %w", console.Hinted(plain, "first"), inner), "error: it broke, it broke\nhint: first\n"},
		"wrapped in joined":       {errors.Join(fmt.Errorf("a: %w", errors.Join(plain, inner))), "error: a: it broke\nit broke\nhint: mend it\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			console.Streams{Err: &b}.Fail(tt.err)
			if b.String() != tt.want {
				t.Errorf("Fail() = %q, want %q", b.String(), tt.want)
			}
		})
	}
	if !errors.Is(inner, plain) {
		t.Error("a hint hides its error")
	}
}

func TestColors(t *testing.T) {
	var b bytes.Buffer
	s := console.Streams{Err: &b, Color: true}
	s.Fail(console.Hinted(errors.New("x"), "y"))
	s.Warn("%d%%", 5)
	s.Note("z")
	want := "\x1b[31merror:\x1b[0m x\n\x1b[36mhint:\x1b[0m y\n\x1b[33mwarning:\x1b[0m 5%\nz\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := console.Table(&b, []string{"NAME", "LONGER", "LAST"}, [][]string{{"a", "b", "c d"}, {"longest", "", ""}, {"é", "x", ""}}); err != nil {
		t.Fatal(err)
	}
	const want = "NAME     LONGER  LAST\na        b       c d\nlongest\né        x\n"
	if b.String() != want {
		t.Errorf("Table() =\n%s\nwant\n%s", b.String(), want)
	}
	if err := console.Table(broken{}, []string{"A"}, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Table() on a closed pipe = %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0.0s",
		440 * time.Millisecond:       "0.4s",
		12300 * time.Millisecond:     "12.3s",
		59940 * time.Millisecond:     "59.9s",
		59960 * time.Millisecond:     "1m00s",
		time.Minute:                  "1m00s",
		185900 * time.Millisecond:    "3m05s",
		90*time.Minute + time.Second: "90m01s",
	} {
		if got := console.Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestRedactor(t *testing.T) {
	for name, tt := range map[string]struct {
		secrets  []string
		in, want string
	}{
		"nothing known":         {nil, "abc", "abc"},
		"everywhere":            {[]string{"hush"}, "hush hush, hushed", "*** ***, ***ed"},
		"empty":                 {[]string{"", "\n"}, "a b", "a b"},
		"its line end":          {[]string{"hush\n"}, "say hush.", "say ***."},
		"the longer one counts": {[]string{"hush", "hush-hush"}, "hush-hush", "***"},
		"in any order":          {[]string{"hush-hush", "hush"}, "hush-hush", "***"},
		"each line of a key":    {[]string{"-----BEGIN\nMIIabc\n}\n"}, "MIIabc } -----BEGIN", "*** } ***"},
		"a short one":           {[]string{"7"}, "72", "***2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &console.Redactor{}
			for _, secret := range tt.secrets {
				r.Add(secret)
			}
			if got := r.Line(tt.in); got != tt.want {
				t.Errorf("Line(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
