package contenthash

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Pattern is one rebuild pattern: an RE2 expression searched in the paths of a
// commit, which are relative to the repository's root and use slashes. Besides
// matching a path it can say, from a folder's name alone, whether everything
// below that folder matches, or nothing, so that most trees are never read.
type Pattern struct {
	expr   string
	re     *regexp.Regexp
	prog   *syntax.Prog
	prefix string // literal text that every matching path begins with
}

// Coverage says how much of a folder a pattern takes.
type Coverage int

// The answers of [Pattern.Covers].
const (
	None Coverage = iota // no path below the folder can match
	Some                 // only the paths themselves can tell
	All                  // every path below the folder matches
)

// CompilePattern compiles an RE2 expression.
func CompilePattern(expr string) (*Pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("compiling pattern %q: %w", expr, err)
	}
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("compiling pattern %q: %w", expr, err)
	}
	prefix := anchoredPrefix(parsed)
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("compiling pattern %q: %w", expr, err)
	}
	return &Pattern{expr: expr, re: re, prog: prog, prefix: prefix}, nil
}

// String returns the expression.
func (p *Pattern) String() string { return p.expr }

// Match reports whether path matches.
func (p *Pattern) Match(path string) bool { return p.re.MatchString(path) }

// Root returns the deepest folder that holds every path p can match: "" for the
// repository's root, else a path without a slash at its end.
func (p *Pattern) Root() string {
	if i := strings.LastIndexByte(p.prefix, '/'); i > 0 {
		return p.prefix[:i]
	}
	return ""
}

// Covers says how much p takes of what lies below folder dir ("" is the root).
//
// It runs the compiled expression over "dir/", which every such path begins
// with. A match found on the way needs nothing of what follows: All. No thread
// left alive, and none that could start later: None.
func (p *Pattern) Covers(dir string) Coverage {
	text := ""
	if dir != "" {
		text = dir + "/"
	}
	if !strings.HasPrefix(text, p.prefix) && !strings.HasPrefix(p.prefix, text) {
		return None // the quick answer for most folders
	}
	m := &machine{prog: p.prog}
	return m.run(text)
}

// reaches reports whether p takes a folder's own name, or could take anything below.
func (p *Pattern) reaches(dir string) bool { return p.Match(dir+"/") || p.Covers(dir) != None }

// machine simulates the automaton of an expression on a known beginning of a
// text whose rest is unknown but not empty.
type machine struct {
	prog *syntax.Prog
	seen []uint32 // instructions that the current step has visited
	live []uint32 // of these, the ones that wait for a rune
	hit  bool     // a match was reached
}

func (m *machine) run(text string) Coverage {
	prev := rune(-1)
	var next []uint32
	for rest := text; rest != ""; {
		r, width := utf8.DecodeRuneInString(rest)
		m.enter(next, known(syntax.EmptyOpContext(prev, r)))
		if m.hit {
			return All
		}
		next = m.step(r)
		prev, rest = r, rest[width:]
	}
	m.enter(next, atEnd(prev))
	if m.hit {
		return All
	}
	m.enter(next, atEnd(prev).maybe())
	if m.hit || len(m.live) > 0 {
		return Some
	}
	// Nothing alive: may a match begin further right? There every assertion
	// may hold but the one for the beginning of the text.
	m.enter(nil, conditions{possible: ^syntax.EmptyBeginText})
	if m.hit || len(m.live) > 0 {
		return Some
	}
	return None
}

// enter fills live with everything reachable without a rune from the
// instructions in from and from the expression's start (a search may begin at
// any position).
func (m *machine) enter(from []uint32, at conditions) {
	m.seen, m.live, m.hit = m.seen[:0], m.live[:0], false
	for _, pc := range from {
		m.follow(pc, at)
	}
	m.follow(uint32(m.prog.Start), at) //nolint:gosec // an index into prog.Inst
}

func (m *machine) follow(pc uint32, at conditions) {
	for _, s := range m.seen {
		if s == pc {
			return
		}
	}
	m.seen = append(m.seen, pc)
	inst := &m.prog.Inst[pc]
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		m.follow(inst.Out, at)
		m.follow(inst.Arg, at)
	case syntax.InstCapture, syntax.InstNop:
		m.follow(inst.Out, at)
	case syntax.InstEmptyWidth:
		if at.hold(syntax.EmptyOp(inst.Arg)) { //nolint:gosec // a bit set of eight bits
			m.follow(inst.Out, at)
		}
	case syntax.InstMatch:
		m.hit = true
	case syntax.InstFail:
	default:
		m.live = append(m.live, pc)
	}
}

// step returns the instructions behind those live ones that accept r.
func (m *machine) step(r rune) []uint32 {
	var next []uint32
	for _, pc := range m.live {
		if inst := &m.prog.Inst[pc]; inst.MatchRune(r) {
			next = append(next, inst.Out)
		}
	}
	return next
}

// conditions are the zero-width assertions (^, $, \b, ...) that hold at a position.
type conditions struct {
	possible syntax.EmptyOp // may hold, depending on what follows
	unsure   syntax.EmptyOp // of these, the ones that need not hold
}

func known(ops syntax.EmptyOp) conditions { return conditions{possible: ops} }

func (c conditions) hold(ops syntax.EmptyOp) bool { return ops&^(c.possible&^c.unsure) == 0 }

// maybe takes every assertion that may hold as holding.
func (c conditions) maybe() conditions { return conditions{possible: c.possible} }

// atEnd gives the assertions behind prev where at least one more rune follows:
// the text cannot end there, but what is next decides about lines and words.
func atEnd(prev rune) conditions {
	const open = syntax.EmptyEndLine | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
	holds := syntax.EmptyOpContext(prev, 'x') &^ open
	return conditions{possible: holds | open, unsure: open}
}

// anchoredPrefix returns the literal text that a match must begin with at the
// beginning of the text, "" when there is none.
func anchoredPrefix(re *syntax.Regexp) string {
	if re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	text, _ := literal(&syntax.Regexp{Op: syntax.OpConcat, Sub: re.Sub[1:]})
	return text
}

// literal returns the literal text re begins with, and whether it is all of re.
func literal(re *syntax.Regexp) (string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return "", false
		}
		// The replacement character also matches every byte that is not UTF-8.
		if i := slices.Index(re.Rune, utf8.RuneError); i >= 0 {
			return string(re.Rune[:i]), false
		}
		return string(re.Rune), true
	case syntax.OpCapture:
		return literal(re.Sub[0])
	case syntax.OpConcat:
		var text strings.Builder
		for _, sub := range re.Sub {
			s, whole := literal(sub)
			text.WriteString(s)
			if !whole {
				return text.String(), false
			}
		}
		return text.String(), true
	case syntax.OpEmptyMatch:
		return "", true
	default:
		return "", false
	}
}
