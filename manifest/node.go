package manifest

import (
	"encoding/json"
	"strconv"
)

// position is a place in a file. Columns count characters. The zero position is
// the beginning of the file.
type position struct{ line, col int32 }

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// node is a value of the file. JSON and YAML both become nodes, and everything
// after that knows only nodes.
type node struct {
	at     position
	kind   kind
	text   string // of a string: its value; of a number or boolean: as JSON writes it
	items  []node
	fields []field
}

// field is an entry of an object. A key that is written twice is two fields.
type field struct {
	at    position // of the key
	key   string
	value node
}

// field gives the last entry with a key, or nil: the last one is what counts
// where keys may be written twice.
func (n *node) field(key string) *field {
	for i := len(n.fields) - 1; i >= 0; i-- {
		if n.fields[i].key == key {
			return &n.fields[i]
		}
	}
	return nil
}

// path names a value by the keys and list indices that lead to it, e.g.
// projects, web, dependencies, compile, 2. It names the value as the types of
// this package hold it; the file may write it shorter.
type path []string

// to gives the path of a value further in. It never shares memory with another.
func (p path) to(segments ...string) path {
	return append(p[:len(p):len(p)], segments...)
}

// tree is a file's root node and finds values in it by path.
type tree struct {
	root  node
	index map[*node]map[string]*field // made for an object when something in it is first looked for
}

// find gives the place of a value; with key, of the key before it. When the file
// does not write the value, it is the place of the nearest value around it, so
// that every fault has a place.
func (t *tree) find(p path, key bool) position {
	n, at := &t.root, t.root.at
	for i, segment := range p {
		next, keyAt := t.step(n, segment)
		if next == nil {
			if n.kind == list {
				continue // a list in place of an object with scopes
			}
			return at
		}
		n, at = next, next.at
		if key && i == len(p)-1 {
			at = keyAt
		}
	}
	return at
}

func (t *tree) step(n *node, segment string) (*node, position) {
	switch n.kind {
	case object:
		if f := t.fields(n)[segment]; f != nil {
			return &f.value, f.at
		}
	case list:
		if i, err := strconv.Atoi(segment); err == nil && i >= 0 && i < len(n.items) {
			return &n.items[i], n.items[i].at
		}
	}
	return nil, position{}
}

func (t *tree) fields(n *node) map[string]*field {
	if fs := t.index[n]; fs != nil {
		return fs
	}
	fs := make(map[string]*field, len(n.fields))
	for i := range n.fields {
		fs[n.fields[i].key] = &n.fields[i]
	}
	if t.index == nil {
		t.index = map[*node]map[string]*field{}
	}
	t.index[n] = fs
	return fs
}

// appendJSON writes a node as JSON. Of a key that is written twice the last counts.
func (n *node) appendJSON(b []byte) []byte {
	switch n.kind {
	case null:
		return append(b, "null"...)
	case boolean, number:
		return append(b, n.text...)
	case text:
		return appendText(b, n.text)
	case list:
		b = append(b, '[')
		for i := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.items[i].appendJSON(b)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		last := map[string]int{}
		for i := range n.fields {
			last[n.fields[i].key] = i
		}
		first := true
		for i := range n.fields {
			if last[n.fields[i].key] != i {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendText(b, n.fields[i].key), ':')
			b = n.fields[i].value.appendJSON(b)
		}
		return append(b, '}')
	}
}

func appendText(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always can be
	return append(b, quoted...)
}
