package contenthash

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/gitrepo"
)

// sample has a value in every field.
func sample() Inputs {
	return Inputs{
		Files: []Entry{
			{"apps/web", gitrepo.ModeTree, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
			{"go.mod", gitrepo.ModeFile, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
		},
		Context: "apps/web", Hermetic: true,
		Dockerfile:   []Entry{{"apps/web/Dockerfile", gitrepo.ModeFile, "cccccccccccccccccccccccccccccccccccccccc"}},
		Dockerignore: []Entry{{".dockerignore", gitrepo.ModeFile, "dddddddddddddddddddddddddddddddddddddddd"}},
		Target:       "run", Network: "none", Platforms: []string{"linux/amd64", "linux/arm64"},
		BuildArgs: map[string]string{"GO": "1.26", "DEBUG": ""}, Secrets: []string{"npm", "git"},
		Dependencies: []Dependency{{"tool", "1111111111111111111111111111111111111111"}, {"base", "2222222222222222222222222222222222222222"}},
		DeployNames:  "ghcr.io/acme",
		BaseImages:   []Pin{{"debian:12", "sha256:33"}, {"alpine", "{registry}/alpine"}},
	}
}

// TestGolden sees a change of the canonical form. If one is meant, raise schema:
// everything is then built again.
func TestGolden(t *testing.T) {
	tests := map[Hash]Inputs{
		"9e8d8d01bc01a6752baac153d9f726fac89a7536": {},
		"6dafc2eaeb3bc4e09d368b359a18ebd40664ed12": sample(),
	}
	for want, in := range tests {
		if got := in.Hash(); got != want {
			t.Errorf("Hash = %s, want %s", got, want)
		}
	}
}

func TestHashNames(t *testing.T) {
	clean := sample().Hash()
	dirty := clean.AsDirty()
	if len(clean) != 40 || clean.Dirty() || !dirty.Dirty() || dirty.AsDirty() != dirty || dirty != "dirty-"+clean {
		t.Errorf("clean %q, dirty %q, dirty twice %q", clean, dirty, dirty.AsDirty())
	}
	if clean.Short() != string(clean[:8]) || dirty.Short() != "dirty-"+string(clean[:8]) || Hash("ab").Short() != "ab" {
		t.Errorf("Short gives %q and %q", clean.Short(), dirty.Short())
	}
}

// decoder reads the canonical form back. That it can shows that two different
// inputs never have the same bytes.
type decoder struct{ *bytes.Reader }

func (d decoder) number() int {
	n, err := binary.ReadVarint(d)
	if err != nil {
		panic(err)
	}
	return int(n)
}

func (d decoder) text() string {
	text := make([]byte, d.number())
	if _, err := io.ReadFull(d, text); err != nil {
		panic(err)
	}
	return string(text)
}

func list[T any](d decoder, item func() T) []T {
	var items []T
	for range d.number() {
		items = append(items, item())
	}
	return items
}

func (d decoder) entry() Entry {
	mode := gitrepo.Mode(d.number())
	return Entry{Path: d.text(), Mode: mode, ID: gitrepo.ObjectID(d.text())}
}

func (d decoder) inputs() (in Inputs) {
	if what, version := d.text(), d.number(); what != "slipway content hash" || version != schema {
		panic(fmt.Sprintf("the form begins with %q %d", what, version))
	}
	in.Files, in.Context, in.Hermetic = list(d, d.entry), d.text(), d.number() == 1
	in.Dockerfile, in.Dockerignore = list(d, d.entry), list(d, d.entry)
	in.Target, in.Network, in.Platforms = d.text(), d.text(), list(d, d.text)
	for range d.number() {
		if in.BuildArgs == nil {
			in.BuildArgs = map[string]string{}
		}
		name := d.text()
		in.BuildArgs[name] = d.text()
	}
	in.Secrets = list(d, d.text)
	in.Dependencies = list(d, func() Dependency { return Dependency{d.text(), Hash(d.text())} })
	in.DeployNames = d.text()
	in.BaseImages = list(d, func() Pin { return Pin{d.text(), d.text()} })
	return in
}

// sorted puts the lists whose order does not count into the form's order.
func sorted(in Inputs) Inputs {
	in.Secrets = slices.Sorted(slices.Values(in.Secrets))
	in.Dependencies = slices.SortedFunc(slices.Values(in.Dependencies), Dependency.compare)
	in.BaseImages = slices.SortedFunc(slices.Values(in.BaseImages), Pin.compare)
	in.BuildArgs = maps.Clone(in.BuildArgs)
	if len(in.BuildArgs) == 0 {
		in.BuildArgs = nil
	}
	return in
}

func encode(in Inputs) []byte {
	var b bytes.Buffer
	e := encoder{w: &b}
	e.inputs(in)
	return b.Bytes()
}

func checkDecodes(t *testing.T, in Inputs) {
	t.Helper()
	d := decoder{bytes.NewReader(encode(in))}
	if diff := cmp.Diff(sorted(in), d.inputs()); diff != "" {
		t.Errorf("decoding what was encoded (-in +out):\n%s", diff)
	}
	if d.Len() != 0 {
		t.Errorf("%d bytes are left over", d.Len())
	}
}

func TestEncodingOfSample(t *testing.T) { checkDecodes(t, sample()) }

// source deals out a fuzzer's bytes as values.
type source struct{ rest []byte }

func (s *source) number() int {
	if len(s.rest) == 0 {
		return 0
	}
	n := int(s.rest[0])
	s.rest = s.rest[1:]
	return n
}

func (s *source) text() string {
	n := min(s.number()%16, len(s.rest))
	text := string(s.rest[:n])
	s.rest = s.rest[n:]
	return text
}

func deal[T any](s *source, item func() T) []T {
	var items []T
	for range s.number() % 4 {
		items = append(items, item())
	}
	return items
}

func (s *source) entry() Entry {
	return Entry{s.text(), gitrepo.Mode(s.number() << 12), gitrepo.ObjectID(s.text())}
}

func (s *source) inputs() Inputs {
	in := Inputs{
		Files: deal(s, s.entry), Context: s.text(), Hermetic: s.number()%2 == 1, Dockerfile: deal(s, s.entry), Dockerignore: deal(s, s.entry),
		Target: s.text(), Network: s.text(), Platforms: deal(s, s.text), Secrets: deal(s, s.text),
		Dependencies: deal(s, func() Dependency { return Dependency{s.text(), Hash(s.text())} }),
		DeployNames:  s.text(),
		BaseImages:   deal(s, func() Pin { return Pin{s.text(), s.text()} }),
	}
	for _, name := range deal(s, s.text) {
		if in.BuildArgs == nil {
			in.BuildArgs = map[string]string{}
		}
		in.BuildArgs[name] = s.text()
	}
	return in
}

func FuzzEncoding(f *testing.F) {
	f.Add([]byte{}, []byte{1})
	f.Add([]byte("\x01\x03a/b\x04\x02id\x00\x01\x01"), []byte("\x02\x01a\x04\x01i\x01b\x04\x01j"))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		a, b := (&source{one}).inputs(), (&source{other}).inputs()
		checkDecodes(t, a)
		checkDecodes(t, b)
		same := cmp.Equal(sorted(a), sorted(b))
		if (a.Hash() == b.Hash()) != same {
			t.Errorf("the hashes are %s and %s, but the inputs are the same: %v\n%+v\n%+v", a.Hash(), b.Hash(), same, a, b)
		}
	})
}
