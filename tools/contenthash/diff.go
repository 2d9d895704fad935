package contenthash

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Change is one difference between two inputs.
type Change struct {
	Kind Kind
	What string // a path, the name of an argument, of a dependency, ...
}

// Kind says what sort of input differs.
type Kind string

// The kinds of changes, in the order in which [Diff] gives them.
const (
	FileAdded   Kind = "added"
	FileRemoved Kind = "removed"
	FileChanged Kind = "changed"
	ModeChanged Kind = "mode"
	Definition  Kind = "definition" // a field of the manifest; What is its name
	BuildArg    Kind = "argument"
	BaseImage   Kind = "base image"
	DependsOn   Kind = "dependency"
)

// IsFile reports whether the change is one of a file, and What its path.
func (c Change) IsFile() bool {
	switch c.Kind {
	case FileAdded, FileRemoved, FileChanged, ModeChanged:
		return true
	default:
		return false
	}
}

func (c Change) String() string {
	switch c.Kind {
	case FileChanged:
		return c.What
	case FileAdded, FileRemoved:
		return c.What + " " + string(c.Kind)
	case ModeChanged:
		return "mode of " + c.What
	default:
		return string(c.Kind) + " " + c.What
	}
}

// Diff says what makes two inputs differ, files first. Folders taken whole are
// compared down to their files, reading only those that differ; objects must
// hold the trees of both.
func Diff(ctx context.Context, objects Objects, before, after Inputs) ([]Change, error) {
	d := differ{objects: objects}
	for _, pair := range [][2][]Entry{
		{before.Files, after.Files}, {before.Dockerfile, after.Dockerfile}, {before.Dockerignore, after.Dockerignore},
	} {
		if err := d.entries(ctx, pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("comparing inputs: %w", err)
		}
	}
	d.definitions(before, after)
	d.values(BuildArg, before.BuildArgs, after.BuildArgs)
	d.values(BaseImage, pinned(before.BaseImages), pinned(after.BaseImages))
	d.values(DependsOn, hashed(before.Dependencies), hashed(after.Dependencies))
	return d.changes, nil
}

type differ struct {
	objects Objects
	changes []Change
}

func (d *differ) add(kind Kind, what string) {
	c := Change{kind, what}
	again := func(other Change) bool { return other == c || other.What == what && other.IsFile() && c.IsFile() }
	if !slices.ContainsFunc(d.changes, again) { // a Dockerfile may be among the files as well
		d.changes = append(d.changes, c)
	}
}

// entries walks two lists sorted by path side by side.
func (d *differ) entries(ctx context.Context, before, after []Entry) error {
	for len(before) > 0 || len(after) > 0 {
		switch order := compareHeads(before, after); {
		case order < 0:
			d.add(FileRemoved, before[0].Path)
			before = before[1:]
		case order > 0:
			d.add(FileAdded, after[0].Path)
			after = after[1:]
		default:
			if err := d.entry(ctx, before[0], after[0]); err != nil {
				return err
			}
			before, after = before[1:], after[1:]
		}
	}
	return nil
}

func compareHeads(before, after []Entry) int {
	switch {
	case len(before) == 0:
		return 1
	case len(after) == 0:
		return -1
	default:
		return comparePaths(before[0].Path, after[0].Path)
	}
}

func (d *differ) entry(ctx context.Context, before, after Entry) error {
	switch {
	case before == after:
		return nil
	case before.Mode.IsTree() && after.Mode.IsTree():
		return d.folders(ctx, before, after)
	case before.ID == after.ID:
		d.add(ModeChanged, after.Path)
	default:
		d.add(FileChanged, after.Path)
	}
	return nil
}

func (d *differ) folders(ctx context.Context, before, after Entry) error {
	old, err := d.children(ctx, before)
	if err != nil {
		return err
	}
	now, err := d.children(ctx, after)
	if err != nil {
		return err
	}
	return d.entries(ctx, old, now)
}

func (d *differ) children(ctx context.Context, folder Entry) ([]Entry, error) {
	list, err := d.objects.Tree(ctx, folder.ID)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i, e := range list {
		entries[i] = Entry{Path: join(folder.Path, e.Name), Mode: e.Mode, ID: e.ID}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return comparePaths(a.Path, b.Path) })
	return entries, nil
}

func (d *differ) definitions(before, after Inputs) {
	for _, field := range []struct {
		name string
		same bool
	}{
		{"buildDir", before.Context == after.Context},
		{"hermetic", before.Hermetic == after.Hermetic},
		{"target", before.Target == after.Target},
		{"network", before.Network == after.Network},
		{"platforms", slices.Equal(before.Platforms, after.Platforms)},
		{"registry.deploy", before.DeployNames == after.DeployNames},
		{"secrets", slices.Equal(slices.Sorted(slices.Values(before.Secrets)), slices.Sorted(slices.Values(after.Secrets)))},
	} {
		if !field.same {
			d.add(Definition, field.name)
		}
	}
}

func (d *differ) values(kind Kind, before, after map[string]string) {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := before[name]
		now, has := after[name]
		if had != has || old != now {
			d.add(kind, name)
		}
	}
}

func pinned(pins []Pin) map[string]string {
	m := map[string]string{}
	for _, p := range pins {
		m[p.Reference] = p.Target
	}
	return m
}

func hashed(deps []Dependency) map[string]string {
	m := map[string]string{}
	for _, d := range deps {
		m[d.Name] = string(d.Hash)
	}
	return m
}
