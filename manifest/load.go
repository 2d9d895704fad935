package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	slashpath "path"
	"strings"
	"unicode/utf8"
)

// Source is where a manifest lies: a commit's tree, or a folder. Paths are from
// the root of the repository, with slashes. Only the manifest itself is read,
// unless it is of the legacy form, which names further files.
type Source interface {
	// ReadFile gives a file's content; the error is fs.ErrNotExist when there is none.
	ReadFile(path string) ([]byte, error)
	// Stat tells what a path is; the error is fs.ErrNotExist when there is nothing.
	Stat(path string) (Kind, error)
	// RunScript runs a legacy project's dependency script and gives what it prints
	// to stdout. A source that does not run what a commit brings says so in the error.
	RunScript(path string) ([]byte, error)
}

// Kind is what a path of the repository leads to.
type Kind string

// The kinds of things in a repository.
const (
	File      Kind = "file"
	Directory Kind = "directory"
	Symlink   Kind = "symlink"
	Submodule Kind = "submodule"
)

const emptyHint = `the smallest manifest is {"version": 1, "name": "acme", "projects": {}}`

// Load reads and checks the manifest at a path. Warnings are given with a sound
// manifest and with faults alike. The error is [Faults] when the manifest is not
// sound, and another one when it could not be read.
func Load(src Source, name string) (*Manifest, []Warning, error) {
	content, err := src.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("reading manifest %q: %w", name, err)
	}
	r := &report{file: &sourceFile{name: name, src: strings.TrimPrefix(string(content), "\ufeff")}}
	r.file.yaml = isYAML(name, r.file.src)
	m, err := load(src, r)
	if err != nil {
		return nil, nil, fmt.Errorf("reading manifest %q: %w", name, err)
	}
	if len(r.faults) > 0 {
		return nil, r.warnings, sortFaults(r.faults)
	}
	return m, r.warnings, nil
}

// load leaves faults in the report; its error is one of the source.
func load(src Source, r *report) (*Manifest, error) {
	if !parse(r) {
		return nil, nil
	}
	r.legacy = isLegacy(&r.tree.root)
	m := &Manifest{File: r.file.name, Legacy: r.legacy}
	if m.Legacy {
		return m, loadLegacy(src, r, m)
	}
	d := &decoder{report: r}
	d.decode(&r.tree.root, m)
	c := newChecker(r, m)
	c.manifest()
	for _, name := range c.names {
		c.folders(m.Projects[name])
		c.dockerfile(m.Projects[name])
		c.project(m.Projects[name])
	}
	m.order = c.sortProjects()
	return m, nil
}

// parse makes the tree of nodes; without one, there is a fault.
func parse(r *report) bool {
	src := r.file.src
	if i := invalidUTF8(src); i >= 0 {
		before := splitLines(src[:i], r.file.yaml)
		last := before[len(before)-1]
		at := position{int32(len(before)), int32(utf8.RuneCountInString(last)) + 1} //nolint:gosec // see jsonParser.here
		r.spoil(at, "save the file as UTF-8", "a byte that is not UTF-8")
		return false
	}
	if strings.TrimSpace(src) == "" {
		r.spoil(position{}, emptyHint, "the file is empty")
		return false
	}
	parser := parseJSON
	if r.file.yaml {
		parser = parseYAML
	}
	root, err := parser(src)
	var fault *syntaxFault
	if errors.As(err, &fault) {
		r.spoil(fault.at, fault.hint, "%s", fault.message)
		return false
	}
	if root.kind != object {
		r.spoil(root.at, emptyHint, "a manifest must be an object, not %s", root.kind)
		return false
	}
	r.tree.root = root
	return true
}

// isYAML goes by the file's name, and where that does not tell by its first character.
func isYAML(name, src string) bool {
	switch slashpath.Ext(name) {
	case ".yaml", ".yml":
		return true
	case ".json":
		return false
	}
	return !strings.HasPrefix(strings.TrimSpace(src), "{")
}

// isLegacy recognises the legacy form: it says something, but none of what the
// new form must say.
func isLegacy(root *node) bool {
	return len(root.fields) > 0 && root.field("version") == nil && root.field("projects") == nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return -1
}

// exists tells whether there is anything at a path.
func exists(src Source, name string) (bool, error) {
	_, err := src.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
