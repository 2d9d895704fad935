package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder fills Go values from nodes, by the json tags of their types, and
// reports all that does not fit: wrong types, unknown and missing fields, keys
// that are there twice.
type decoder struct {
	*report
	key    string // the name of the value that is read, for messages
	item   bool   // it is an item of the list of that name
	shapes map[reflect.Type][]member
}

// member is a field of a struct that the file can set.
type member struct {
	name     string
	index    int
	required bool
}

// These are what types can do beyond their shape.
type (
	// fromNode is written in more than one way.
	fromNode interface{ fromNode(dec *decoder, n *node) }
	// chooser is one of a few words.
	chooser interface{ choices() []string }
	// presetter has defaults that are not zero.
	presetter interface{ preset() }
)

func (p *Project) preset() { p.Hermetic = true }

func (j *Job) preset() { j.Required = true }

func (d *decoder) decode(n *node, into any) { d.value(n, reflect.ValueOf(into).Elem()) }

func (d *decoder) value(n *node, v reflect.Value) {
	switch into := v.Addr().Interface().(type) {
	case fromNode:
		into.fromNode(d, n)
		return
	case *json.RawMessage:
		*into = n.appendJSON(nil)
		return
	case *time.Duration:
		d.duration(n, into)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text(n, v)
	case reflect.Bool:
		if d.want(n, boolean) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int:
		d.integer(n, v)
	case reflect.Slice:
		d.slice(n, v)
	case reflect.Map:
		d.mapping(n, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem())
	case reflect.Struct:
		d.structure(n, v)
	default:
		panic("no way to read a " + v.Type().String())
	}
}

// want reports a node that is not of a kind.
func (d *decoder) want(n *node, k kind) bool {
	if n.kind == k {
		return true
	}
	hint := ""
	switch {
	case k == boolean:
		hint = "write true or false"
	case k == object && d.legacy:
		hint = `this is read as the legacy form, all projects; the new form has "version" and "projects"`
	case k == text && (n.kind == number || n.kind == boolean):
		hint = fmt.Sprintf("write it in quotes: %q", n.text)
	}
	d.spoil(n.at, hint, "%s must be %s, not %s", d.subject(), k, n.kind)
	return false
}

func (d *decoder) subject() string {
	switch {
	case d.key == "":
		return "a manifest"
	case d.item:
		return "each of " + excerptOf(d.key)
	}
	return excerptOf(d.key)
}

func (d *decoder) text(n *node, v reflect.Value) {
	if !d.want(n, text) {
		return
	}
	if c, ok := v.Interface().(chooser); ok && !slices.Contains(c.choices(), n.text) {
		d.spoil(n.at, suggest(n.text, c.choices()), "%s cannot be %s", d.subject(), excerptOf(n.text))
		return
	}
	v.SetString(n.text)
}

func (d *decoder) integer(n *node, v reflect.Value) {
	if !d.want(n, number) {
		return
	}
	i, err := strconv.ParseInt(n.text, 10, 32)
	if err != nil {
		d.spoil(n.at, "", "%s must be a whole number, not %s", d.subject(), n.text)
		return
	}
	v.SetInt(i)
}

func (d *decoder) duration(n *node, into *time.Duration) {
	const hint = "write it as 90s, 10m or 1h30m"
	if n.kind != text {
		d.spoil(n.at, hint, "%s must be a string, not %s", d.subject(), n.kind)
		return
	}
	value, err := time.ParseDuration(n.text)
	if err != nil || value <= 0 {
		d.spoil(n.at, hint, "%s cannot be %s", d.subject(), excerptOf(n.text))
		return
	}
	*into = value
}

func (d *decoder) slice(n *node, v reflect.Value) {
	if !d.want(n, list) {
		return
	}
	key := d.key
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i := range n.items {
		d.key, d.item = key, true
		d.value(&n.items[i], v.Index(i))
	}
}

func (d *decoder) mapping(n *node, v reflect.Value) {
	if !d.want(n, object) {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.fields)))
	lines := make(map[string]int32, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		d.once(f, lines[f.key])
		lines[f.key] = f.at.line
		d.key, d.item = f.key, false
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(&f.value, value)
		v.SetMapIndex(reflect.ValueOf(f.key), value)
	}
}

func (d *decoder) structure(n *node, v reflect.Value) {
	if p, ok := v.Addr().Interface().(presetter); ok {
		p.preset()
	}
	if !d.want(n, object) {
		return
	}
	members := d.shape(v.Type())
	lines := make([]int32, len(members)) // where each was set, or 0
	for i := range n.fields {
		f := &n.fields[i]
		at := slices.IndexFunc(members, func(m member) bool { return m.name == f.key })
		if at < 0 {
			d.spoil(f.at, suggest(f.key, names(members)), "unknown field %s", excerptOf(f.key))
			continue
		}
		d.once(f, lines[at])
		lines[at] = f.at.line
		d.key, d.item = f.key, false
		if empty := f.value.kind == text && f.value.text == ""; d.legacy && (empty || f.value.kind == null) {
			continue // the legacy form writes absent values in many ways
		} else if empty {
			d.spoil(f.value.at, "leave it out or say something", "%s is empty", d.subject())
			continue
		}
		into := v.Field(members[at].index)
		into.SetZero()
		d.value(&f.value, into)
	}
	for i, m := range members {
		if m.required && lines[i] == 0 {
			d.spoil(n.at, "", "the field %q is missing", m.name)
		}
	}
}

// once reports a key that was there before, on a line. A legacy YAML file may
// hold such keys: its readers took the last.
func (d *decoder) once(f *field, before int32) {
	switch {
	case before == 0:
	case d.legacy && d.file.yaml:
		d.warn(f.at, "remove one of them", "%s is defined twice; this one counts, the one on line %d does not", excerptOf(f.key), before)
	default:
		d.spoil(f.at, "", "%s is defined twice, first on line %d", excerptOf(f.key), before)
	}
}

// shape gives the fields that the file can set, by their json tags.
func (d *decoder) shape(t reflect.Type) []member {
	if members, ok := d.shapes[t]; ok {
		return members
	}
	var members []member
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			members = append(members, member{name, i, options != "omitempty"})
		}
	}
	if d.shapes == nil {
		d.shapes = map[reflect.Type][]member{}
	}
	d.shapes[t] = members
	return members
}

func names(members []member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.name
	}
	return all
}

func (d *Dependency) fromNode(dec *decoder, n *node) {
	if !dec.want(n, text) {
		return
	}
	if n.text == "" && !dec.legacy {
		dec.spoil(n.at, "", "a dependency without a name")
		return
	}
	var versioned bool
	d.Name, d.Interface, versioned = strings.Cut(n.text, "@")
	if versioned && (d.Name == "" || d.Interface == "") {
		*d = Dependency{}
		dec.spoil(n.at, dependencyHint, "%s is not a dependency", excerptOf(n.text))
	}
}

func (d *Dependencies) fromNode(dec *decoder, n *node) {
	switch n.kind {
	case list:
		dec.decode(n, &d.Compile)
	case object:
		dec.structure(n, reflect.ValueOf(d).Elem())
	default:
		dec.spoil(n.at, "", "%s must be a list, or an object of lists by scope, not %s", dec.subject(), n.kind)
	}
}

func (c *Command) fromNode(dec *decoder, n *node) {
	switch n.kind {
	case text:
		*c = Command{"/bin/sh", "-c", n.text}
	case list:
		dec.decode(n, (*[]string)(c))
	default:
		dec.spoil(n.at, "", "%s must be a string or a list, not %s", dec.subject(), n.kind)
	}
}
