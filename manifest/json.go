package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds how deep values may nest; a manifest needs six levels.
const maxDepth = 64

// syntaxFault says that a text is not JSON or not YAML.
type syntaxFault struct {
	at            position
	message, hint string
}

func (f *syntaxFault) Error() string { return f.message }

// jsonParser reads JSON into nodes that know where they are. It differs from
// encoding/json in just that: what it accepts and what values it gives are the
// same, and a test holds it to that. Places cost so little (all of parsing is a
// third of loading 5,000 projects) that sound and faulty files are read in one way.
type jsonParser struct {
	src  string
	i    int   // the next byte
	line int32 // the line it is on
	// start is where the line would have started if all its characters so far had
	// been one byte, so that i-start counts characters.
	start int
	// What objects and lists that are not at their end hold so far, outermost first.
	fields []field
	items  []node
}

func parseJSON(src string) (node, error) {
	p := &jsonParser{src: src, line: 1}
	p.space()
	root, err := p.value(0)
	if err != nil {
		return node{}, err
	}
	if p.space(); p.i < len(p.src) {
		return node{}, p.unexpected("the end of the file")
	}
	return root, nil
}

func (p *jsonParser) value(depth int) (node, error) {
	n := node{at: p.here()}
	if depth == maxDepth {
		return n, p.fault("values nest too deeply", fmt.Sprintf("%d levels are read", maxDepth))
	}
	switch c := p.peek(); {
	case c == '{':
		n.kind = object
		return n, p.object(&n, depth)
	case c == '[':
		n.kind = list
		return n, p.list(&n, depth)
	case c == '"':
		n.kind = text
		s, err := p.text()
		n.text = s
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		n.kind = number
		return n, p.number(&n)
	default:
		return n, p.word(&n)
	}
}

func (p *jsonParser) object(n *node, depth int) error {
	p.i++
	outer := len(p.fields)
	for {
		p.space()
		if p.peek() == '}' && len(p.fields) == outer {
			p.i++
			return nil
		}
		f := field{at: p.here()}
		if p.peek() != '"' {
			return p.unexpected("a name in double quotes")
		}
		var err error
		if f.key, err = p.text(); err != nil {
			return err
		}
		if p.space(); p.peek() != ':' {
			return p.unexpected("':' after the name")
		}
		p.i++
		p.space()
		if f.value, err = p.value(depth + 1); err != nil {
			return err
		}
		p.fields = append(p.fields, f)
		if done, err := p.next('}'); done || err != nil {
			n.fields = slices.Clone(p.fields[outer:])
			p.fields = p.fields[:outer]
			return err
		}
	}
}

func (p *jsonParser) list(n *node, depth int) error {
	p.i++
	outer := len(p.items)
	for {
		p.space()
		if p.peek() == ']' && len(p.items) == outer {
			p.i++
			return nil
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		p.items = append(p.items, item)
		if done, err := p.next(']'); done || err != nil {
			n.items = slices.Clone(p.items[outer:])
			p.items = p.items[:outer]
			return err
		}
	}
}

// next reads what follows a value: a comma, or the end of the object or list.
func (p *jsonParser) next(end byte) (done bool, err error) {
	p.space()
	switch p.peek() {
	case end:
		p.i++
		return true, nil
	case ',':
		comma := *p
		p.i++
		if p.space(); p.peek() == end {
			return false, comma.fault("a comma without a value after it", fmt.Sprintf("remove the comma before '%c'", end))
		}
		return false, nil
	}
	return false, p.unexpected(fmt.Sprintf("',' or '%c' after the value", end))
}

func (p *jsonParser) text() (string, error) {
	opening := *p
	p.i++
	begin, escaped := p.i, false
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == '"':
			raw := p.src[begin:p.i]
			p.i++
			if escaped {
				return opening.unescape(raw)
			}
			return raw, nil
		case c == '\\':
			escaped = true
			p.i++
		case c < ' ':
			return "", p.fault("a string must end on its line", "write a line break in a string as \\n, a tab as \\t")
		case c&0xC0 == 0x80: // not the first byte of a character
			p.start++
		}
		p.i++
	}
	return "", opening.fault("a string without its closing quote", "")
}

func (p *jsonParser) unescape(raw string) (string, error) {
	var s string
	if json.Unmarshal([]byte(`"`+raw+`"`), &s) != nil {
		return "", p.fault("a string with an escape that JSON does not have", `JSON has \" \\ \/ \b \f \n \r \t and \u with four digits`)
	}
	return s, nil
}

func (p *jsonParser) number(n *node) error {
	begin := *p
	for p.i < len(p.src) && strings.IndexByte("+-.eE0123456789", p.src[p.i]) >= 0 {
		p.i++
	}
	n.text = p.src[begin.i:p.i]
	if !json.Valid([]byte(n.text)) {
		return begin.fault(fmt.Sprintf("%s is not a number as JSON writes it", excerptOf(n.text)), "")
	}
	return nil
}

func (p *jsonParser) word(n *node) error {
	begin := *p
	for p.i < len(p.src) && (p.src[p.i]|0x20 >= 'a' && p.src[p.i]|0x20 <= 'z') {
		p.i++
	}
	n.text = p.src[begin.i:p.i]
	switch n.text {
	case "true", "false":
		n.kind = boolean
	case "null":
		n.kind = null
	default:
		return begin.unexpected("a value")
	}
	return nil
}

func (p *jsonParser) space() {
	for p.i < len(p.src) {
		switch p.src[p.i] {
		case '\n':
			p.line++
			p.start = p.i + 1
		case ' ', '\t', '\r':
		default:
			return
		}
		p.i++
	}
}

// peek gives the next byte, or 0 at the end.
func (p *jsonParser) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

func (p *jsonParser) here() position {
	return position{p.line, int32(p.i-p.start) + 1} //nolint:gosec // a line of 2 GB is not read
}

func (p *jsonParser) unexpected(want string) error {
	found, hint := "the end of the file", ""
	if p.i < len(p.src) {
		r := []rune(firstRunes(p.src[p.i:], 1))[0]
		found = fmt.Sprintf("%q", r)
		switch r {
		case '/', '#':
			hint = "JSON has no comments; YAML has"
		case '\'':
			hint = "JSON writes strings in double quotes"
		}
	}
	return p.fault("expected "+want+", found "+found, hint)
}

func (p *jsonParser) fault(message, hint string) error {
	return &syntaxFault{p.here(), message, hint}
}

// excerptOf quotes a value for a message, cut when it is long.
func excerptOf(s string) string {
	if short := firstRunes(s, 80); len(short) < len(s) {
		return fmt.Sprintf("%q...", short)
	}
	return fmt.Sprintf("%q", s)
}
