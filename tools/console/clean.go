package console

import (
	"strings"
	"unicode"
)

// shown is text of others as it may be shown on one line: without secrets, and
// with nothing in it that a terminal would obey but, where color says so, its
// colours.
func (p *Progress) shown(text string, color bool) string {
	// Once more after cleaning: control characters may have stood in a secret.
	return p.redact.Line(clean(p.redact.Line(text), color))
}

// clean drops control characters and escape sequences; line ends become spaces.
func clean(text string, color bool) string {
	if !strings.ContainsFunc(text, obeyed) {
		return text
	}
	var b strings.Builder
	painted := false
	for text != "" {
		if text[0] == escape {
			sequence := escapeSequence(text)
			if color && strings.HasPrefix(sequence, "\x1b[") && strings.HasSuffix(sequence, "m") {
				b.WriteString(sequence)
				painted = true
			}
			text = text[len(sequence):]
			continue
		}
		end := strings.IndexByte(text[1:], escape) + 1
		if end == 0 {
			end = len(text)
		}
		b.WriteString(strings.Map(printable, text[:end]))
		text = text[end:]
	}
	if painted {
		b.WriteString(reset)
	}
	return b.String()
}

const escape = 0x1b

// obeyed reports whether a terminal does something for r instead of showing it.
func obeyed(r rune) bool { return unicode.IsControl(r) && r != '\t' || r == unicode.ReplacementChar }

func printable(r rune) rune {
	switch {
	case r == '\n':
		return ' '
	case unicode.IsControl(r) && r != '\t':
		return -1
	default:
		return r
	}
}

// escapeSequence is what of text belongs to the escape character at its
// beginning, by ECMA-48: control sequences, strings up to their end, and the short
// ones. Of a broken one only what cannot be text counts.
func escapeSequence(text string) string {
	const introducers = 2
	if len(text) < introducers {
		return text
	}
	switch text[1] {
	case '[':
		return text[:final(text, introducers, '@')]
	case ']', 'P', 'X', '^', '_':
		return text[:stringEnd(text, introducers)]
	default:
		return text[:final(text, 1, '0')]
	}
}

// final is the length of a sequence that goes on at i: any number of characters
// before first, then one from there on that ends it.
func final(text string, i int, first byte) int {
	for i < len(text) && text[i] >= ' ' && text[i] < first {
		i++
	}
	if i < len(text) && text[i] >= first && text[i] <= '~' {
		i++
	}
	return i
}

// stringEnd is the length of a control string: up to the first of its two ends,
// or without one only least.
func stringEnd(text string, least int) int {
	length := len(text) + 1
	for _, end := range []string{"\a", "\x1b\\"} {
		if i := strings.Index(text, end); i >= 0 {
			length = min(length, i+len(end))
		}
	}
	if length > len(text) {
		return least
	}
	return length
}
