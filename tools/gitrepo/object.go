package gitrepo

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is an object's type in git's own word.
type kind string

const (
	kindBlob   kind = "blob"
	kindTree   kind = "tree"
	kindCommit kind = "commit"
	kindTag    kind = "tag"
)

// object is a raw object.
type object struct {
	id   ObjectID
	kind kind
	size int64
	body []byte // nil when only the size was asked for
}

// is returns an error unless o is of the wanted kind.
func (o object) is(want kind) error {
	if o.kind == want {
		return nil
	}
	return fmt.Errorf("object %s is a %s, not a %s", o.id, o.kind, want)
}

// parseTree reads a tree object whose ids have idLen bytes. Trees that git
// itself calls corrupt are refused: their names become paths of a build.
func parseTree(body []byte, idLen int) ([]Entry, error) {
	entries := make([]Entry, 0, bytes.Count(body, []byte{0}))
	for rest := body; len(rest) > 0; {
		e, n, err := parseEntry(rest, idLen)
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", len(body)-len(rest), err)
		}
		if len(entries) > 0 && !before(entries[len(entries)-1], e) {
			return nil, fmt.Errorf("entry %q is out of order", e.Name)
		}
		if _, twice := findKind(entries, e.Name, false); twice && e.Mode.IsTree() {
			return nil, fmt.Errorf("entry %q is there twice", e.Name)
		}
		entries, rest = append(entries, e), rest[n:]
	}
	return entries, nil
}

// parseEntry reads the first entry of b and returns its length.
func parseEntry(b []byte, idLen int) (Entry, int, error) {
	head, _, ok := bytes.Cut(b, []byte{0})
	digits, name, spaced := strings.Cut(string(head), " ")
	end := len(head) + 1 + idLen
	if !ok || !spaced || len(b) < end {
		return Entry{}, 0, errors.New("a cut entry")
	}
	mode, err := strconv.ParseUint(digits, 8, 32)
	if err != nil {
		return Entry{}, 0, fmt.Errorf("mode %q", digits)
	}
	if !validName(name) {
		return Entry{}, 0, fmt.Errorf("name %q", name)
	}
	id := ObjectID(hex.EncodeToString(b[len(head)+1 : end]))
	return Entry{Name: name, Mode: Mode(mode), ID: id}, end, nil
}

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.EqualFold(name, ".git") && !strings.Contains(name, "/")
}

// before is git's order of tree entries.
func before(a, b Entry) bool {
	return a.Name != b.Name && compareNames(a.Name, a.Mode.IsTree(), b.Name, b.Mode.IsTree()) < 0
}

// compareNames compares as git does: a folder sorts as if it ended in "/".
func compareNames(a string, aTree bool, b string, bTree bool) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	return cmp.Compare(byteAt(a, n, aTree), byteAt(b, n, bTree))
}

// byteAt returns what comes after the first n bytes of a name; 0 is its end.
func byteAt(name string, n int, tree bool) byte {
	switch {
	case n < len(name):
		return name[n]
	case tree:
		return '/'
	}
	return 0
}

// find looks for a name at both places that git's order has for it: a file's
// and a folder's.
func find(entries []Entry, name string) (Entry, bool) {
	if e, ok := findKind(entries, name, true); ok {
		return e, true
	}
	return findKind(entries, name, false)
}

func findKind(entries []Entry, name string, tree bool) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int {
		return compareNames(e.Name, e.Mode.IsTree(), name, tree)
	})
	if !ok {
		return Entry{}, false
	}
	return entries[i], true
}

// parseCommit reads a commit object. Headers it has no use for, signatures
// among them, are skipped.
func parseCommit(o object) (Commit, error) {
	headers, message, _ := strings.Cut(string(o.body), "\n\n")
	c := Commit{ID: o.id, Message: message}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "tree":
			c.Tree = ObjectID(value)
		case "parent":
			c.Parents = append(c.Parents, ObjectID(value))
		case "committer":
			t, err := parseTime(value)
			if err != nil {
				return Commit{}, err
			}
			c.Time = t
		}
	}
	if !validID(string(c.Tree)) {
		return Commit{}, fmt.Errorf("tree %q", c.Tree)
	}
	return c, nil
}

// parseTime reads the seconds out of "A U Thor <a@example.com> 1700000000 +0100".
func parseTime(person string) (time.Time, error) {
	fields := strings.Fields(person[strings.LastIndexByte(person, '>')+1:])
	if len(fields) == 0 {
		return time.Time{}, fmt.Errorf("committer %q", person)
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("committer %q", person)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// validID says whether s is a whole object id.
func validID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
