package manifest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseJSON holds the reader of JSON to the one of the standard library: the
// same texts, the same values.
func FuzzParseJSON(f *testing.F) {
	for _, content := range seeds() {
		f.Add(content)
	}
	f.Add(everything)
	f.Add(`{"a\u00e9\ud83d\ude00\ud800": [-1.5e+3, true, false, null, "\\\"", {}]}`)
	f.Fuzz(func(t *testing.T, src string) {
		if !utf8.ValidString(src) || strings.Count(src, "[")+strings.Count(src, "{") >= maxDepth {
			return
		}
		root, err := parseJSON(src)
		if (err == nil) != json.Valid([]byte(src)) {
			t.Fatalf("error %v, but encoding/json says valid: %v", err, err != nil)
		}
		if err != nil {
			return
		}
		if got, want := anyOf(t, root.appendJSON(nil)), anyOf(t, []byte(src)); !reflect.DeepEqual(got, want) {
			t.Fatalf("value %v, want %v", got, want)
		}
	})
}

// seeds are the faulty samples, without those that are only large.
func seeds() []string {
	var all []string
	for _, test := range faulty {
		if len(test.content) < 2000 {
			all = append(all, test.content)
		}
	}
	return all
}

// anyOf reads JSON as the standard library does, numbers as they are written.
func anyOf(t *testing.T, src []byte) any {
	t.Helper()
	var value any
	dec := json.NewDecoder(strings.NewReader(string(src)))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		t.Fatalf("reading %s: %v", src, err)
	}
	return value
}

// FuzzLoad checks what holds for any file whatever: no panic, faults inside of
// the file, and a sound manifest where there are none.
func FuzzLoad(f *testing.F) {
	for _, content := range seeds() {
		f.Add(content, file(content) == "m.yaml")
	}
	for _, content := range []string{everything, newForm(graph), legacyYAML} {
		f.Add(content, false)
		f.Add(content, true)
	}
	f.Fuzz(func(t *testing.T, content string, yaml bool) {
		name := "m.json"
		if yaml {
			name = "m.yaml"
		}
		m, warnings, err := Load(repository{name: content, "p": "^a/\n(", "d": "a b"}, name)
		for _, w := range warnings {
			inside(t, content, Fault(w))
		}
		var faults Faults
		switch {
		case err == nil:
			sound(t, m)
		case !errors.As(err, &faults) || len(faults) == 0:
			t.Fatalf("error without faults: %v", err)
		}
		for _, fault := range faults {
			inside(t, content, fault)
		}
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("error is not UTF-8: %q", err)
		}
	})
}

// inside checks that a fault of a manifest is at a place that the file has.
func inside(t *testing.T, content string, f Fault) {
	t.Helper()
	if f.File != "m.json" && f.File != "m.yaml" {
		return
	}
	lines := splitLines(strings.TrimPrefix(content, "\ufeff"), f.File == "m.yaml")
	if f.Line < 1 || f.Line > len(lines) {
		t.Fatalf("line %d of %d: %s", f.Line, len(lines), f.Message)
	}
	if f.Col < 1 || f.Col > utf8.RuneCountInString(lines[f.Line-1])+1 {
		t.Fatalf("column %d of line %q: %s", f.Col, lines[f.Line-1], f.Message)
	}
	if f.Message == "" || strings.Contains(f.Message, "\n") {
		t.Fatalf("message %q", f.Message)
	}
}

// sound checks the promises that a loaded manifest makes.
func sound(t *testing.T, m *Manifest) {
	t.Helper()
	order := m.Order()
	if len(order) != len(m.Projects) {
		t.Fatalf("%d projects in the order of %d", len(order), len(m.Projects))
	}
	for name, p := range m.Projects {
		if p.Name != name || len(name) > maxName {
			t.Errorf("project %q is called %q", name, p.Name)
		}
		for _, dir := range []string{p.BuildDir, p.ProjectDir, p.Dockerfile} {
			if dir == "" || dir[0] == '/' || dir == ".." || strings.HasPrefix(dir, "../") {
				t.Errorf("path %q of %s", dir, name)
			}
		}
		if len(p.RebuildPatterns) == 0 || p.Interface == "" || p.Network == "" {
			t.Errorf("%s lacks a default: %+v", name, p)
		}
		for _, d := range p.ImageInputs() {
			if d.Interface == "" && slices.Index(order, d.Name) >= slices.Index(order, name) {
				t.Errorf("%s comes after %s, which needs it", d.Name, name)
			}
		}
		if closure := m.Closure(name); closure[len(closure)-1] != name {
			t.Errorf("closure of %s ends with %s", name, closure[len(closure)-1])
		}
	}
}
