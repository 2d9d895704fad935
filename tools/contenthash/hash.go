// Package contenthash says what a build depends on, as one number.
//
// [Inputs] holds everything that may change what building a project does; its
// [Hash] is the name under which the result is found again. The package owns
// the rule which files of a commit belong to a project, the canonical form that
// is hashed, and the comparison of two inputs. It reads git trees through a
// small interface and nothing else: no work tree, no registry, no clock. The
// contract is the section on the content hash in docs/design.md.
package contenthash

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"slipway/tools/gitrepo"
)

// Hash names the content that a project is built from: 40 hex digits such as
// "3f9a01bc...", or the same behind "dirty-" for content that no commit holds.
type Hash string

const dirtyMark = "dirty-"

// Dirty reports whether the content came from uncommitted changes. Such a hash
// is never recorded as built.
func (h Hash) Dirty() bool { return strings.HasPrefix(string(h), dirtyMark) }

// AsDirty marks h as content that no commit holds.
func (h Hash) AsDirty() Hash {
	if h.Dirty() {
		return h
	}
	return dirtyMark + h
}

// Short returns h with 8 digits, for people.
func (h Hash) Short() string {
	digits := strings.TrimPrefix(string(h), dirtyMark)
	short := digits[:min(8, len(digits))]
	if h.Dirty() {
		return dirtyMark + short
	}
	return short
}

// Entry is a file, symbolic link, submodule or whole folder of a commit that a
// project is built from. A folder stands for everything below it.
type Entry struct {
	Path string // from the repository's root, without a slash at the end; "" is the root folder
	Mode gitrepo.Mode
	ID   gitrepo.ObjectID
}

// Dependency is another project whose image a build uses.
type Dependency struct {
	Name string // how the Dockerfile knows it
	Hash Hash   // its content hash; for a package from a version set its pinned digest
}

func (d Dependency) compare(o Dependency) int {
	return cmp.Or(strings.Compare(d.Name, o.Name), strings.Compare(string(d.Hash), string(o.Hash)))
}

// Pin says what a base image's reference is replaced by.
type Pin struct {
	Reference string // as the Dockerfile writes it
	Target    string // what is used instead
}

func (p Pin) compare(o Pin) int {
	return cmp.Or(strings.Compare(p.Reference, o.Reference), strings.Compare(p.Target, o.Target))
}

// Inputs is everything that may change what building a project does.
type Inputs struct {
	Files        []Entry // sorted by path, none inside another
	Context      string  // the build context's folder as the manifest has it: "." is the root
	Hermetic     bool    // the context holds only Files
	Dockerfile   []Entry // the Dockerfile, behind the symbolic links that lead to it
	Dockerignore []Entry // the same for the ignore file; empty when there is none
	Target       string
	Network      string
	Platforms    []string
	BuildArgs    map[string]string
	Secrets      []string // identifiers only
	Dependencies []Dependency
	// DeployNames is the location under which the images of dependencies have a
	// second name, e.g. "ghcr.io/acme"; empty without dependencies.
	DeployNames string
	BaseImages  []Pin
}

// schema is part of every hash: raising it rebuilds everything. Raise it when
// the canonical form changes, or how the engine builds what it is given.
const schema = 1

// Hash returns the first 40 hex digits of the SHA-256 of the canonical form.
func (in Inputs) Hash() Hash {
	sum := sha256.New()
	e := encoder{w: sum}
	e.inputs(in)
	return Hash(hex.EncodeToString(sum.Sum(nil))[:40])
}

// encoder writes the canonical form: every string behind its length, every
// list behind its count, every field behind the ones before it, so that no two
// different inputs have the same bytes.
type encoder struct {
	w       io.Writer
	scratch [binary.MaxVarintLen64]byte
}

func (e *encoder) inputs(in Inputs) {
	e.text("slipway content hash")
	e.number(schema)
	e.entries(in.Files)
	e.text(in.Context)
	e.flag(in.Hermetic)
	e.entries(in.Dockerfile)
	e.entries(in.Dockerignore)
	e.text(in.Target)
	e.text(in.Network)
	e.texts(in.Platforms)
	e.number(len(in.BuildArgs))
	for _, name := range slices.Sorted(maps.Keys(in.BuildArgs)) {
		e.text(name)
		e.text(in.BuildArgs[name])
	}
	e.texts(slices.Sorted(slices.Values(in.Secrets)))
	e.number(len(in.Dependencies))
	for _, dep := range slices.SortedFunc(slices.Values(in.Dependencies), Dependency.compare) {
		e.text(dep.Name)
		e.text(string(dep.Hash))
	}
	e.text(in.DeployNames)
	e.number(len(in.BaseImages))
	for _, pin := range slices.SortedFunc(slices.Values(in.BaseImages), Pin.compare) {
		e.text(pin.Reference)
		e.text(pin.Target)
	}
}

func (e *encoder) entries(list []Entry) {
	e.number(len(list))
	for _, entry := range list {
		e.number(int(entry.Mode))
		e.text(entry.Path)
		e.text(string(entry.ID))
	}
}

func (e *encoder) texts(list []string) {
	e.number(len(list))
	for _, s := range list {
		e.text(s)
	}
}

func (e *encoder) flag(b bool) {
	if b {
		e.number(1)
	} else {
		e.number(0)
	}
}

func (e *encoder) text(s string) {
	e.number(len(s))
	_, _ = e.w.Write([]byte(s)) // a hash never fails
}

func (e *encoder) number(n int) {
	size := binary.PutVarint(e.scratch[:], int64(n))
	_, _ = e.w.Write(e.scratch[:size])
}
