package contenthash_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// oddRepo holds every kind of entry, and names that trip up whoever reads lines,
// quotes or sorts.
func oddRepo(tb testing.TB) *gittest.Repo {
	tb.Helper()
	lib := gittest.New(tb)
	lib.Write("lib.c", "int x;\n")
	lib.Commit("library")
	r := gittest.New(tb)
	for _, path := range []string{
		"go.mod", "a", "a.b/x", "a-b", "a0/x", "apps/web/main.go", "apps/web/sub/deep/x", "apps/web.go", "apps/web-2/main.go",
		"apps/api/main.go", "apps/api/with space.go", "apps/api/new\nline.go", "apps/api/tab\t", `apps/api/quo"te\back`,
		"apps/api/\xff\xfe", "apps/\xff/x", "apps/api/ünï", "libs/x/a", "libs/y/a", "libs/z/vendor/a", "vendor/a", "x\ny/x", "xx/x\n",
	} {
		r.Write(path, "content of "+strconv.Quote(path))
	}
	r.WriteMode("apps/web/run", "#!/bin/sh\n", 0o755)
	r.Symlink("../apps/web", "libs/web")
	r.Symlink("main.go", "apps/web/link")
	r.AddSubmodule(lib.URL(), "libs/sub")
	r.AddSubmodule(lib.URL(), "third party/sub")
	r.Commit("everything")
	return r
}

// line is one entry of `git ls-tree`.
type line struct {
	Path string
	Mode gitrepo.Mode
	ID   gitrepo.ObjectID
}

func listing(tb testing.TB, r *gittest.Repo) []line {
	tb.Helper()
	var lines []line
	for text := range strings.SplitSeq(strings.TrimSuffix(r.Git("ls-tree", "-r", "-z", "HEAD"), "\x00"), "\x00") {
		head, path, _ := strings.Cut(text, "\t")
		fields := strings.Fields(head)
		mode, err := strconv.ParseUint(fields[0], 8, 32)
		if err != nil {
			tb.Fatalf("git ls-tree answered %q", text)
		}
		lines = append(lines, line{path, gitrepo.Mode(mode), gitrepo.ObjectID(fields[2])})
	}
	return lines
}

// naive says with regexp alone what a set of patterns takes. A submodule is taken
// when a pattern could match a file inside; what is inside is not known.
func naive(lines []line, exprs []string) []line {
	inside := []string{"", "lib.c", "a.h", "src/deep/x", "\nx"}
	for _, l := range lines {
		for at := l.Path; at != ""; _, at, _ = strings.Cut(at, "/") {
			inside = append(inside, at)
		}
	}
	var taken []line
	for _, l := range lines {
		if slices.ContainsFunc(exprs, func(expr string) bool {
			re := regexp.MustCompile(expr)
			return re.MatchString(l.Path) || l.Mode.IsSubmodule() &&
				slices.ContainsFunc(inside, func(file string) bool { return re.MatchString(l.Path + "/" + file) })
		}) {
			taken = append(taken, l)
		}
	}
	slices.SortFunc(taken, func(a, b line) int { return strings.Compare(a.Path, b.Path) })
	return taken
}

// expand lists the files of entries by git itself.
func expand(tb testing.TB, r *gittest.Repo, lines []line, entries []contenthash.Entry) []line {
	tb.Helper()
	var files []line
	for _, e := range entries {
		if !e.Mode.IsTree() {
			files = append(files, line(e))
			continue
		}
		if id := r.ID("HEAD:" + e.Path); id != string(e.ID) {
			tb.Errorf("folder %q has the id %s, not %s", e.Path, e.ID, id)
		}
		for _, l := range lines {
			if e.Path == "" || strings.HasPrefix(l.Path, e.Path+"/") {
				files = append(files, l)
			}
		}
	}
	slices.SortFunc(files, func(a, b line) int { return strings.Compare(a.Path, b.Path) })
	return files
}

func TestMatchIsWhatRegexpSays(t *testing.T) {
	r := oddRepo(t)
	lines := listing(t, r)
	tree, _ := snapshot(t, r)
	for _, exprs := range [][]string{
		{""}, {"^"}, {"$"}, {"^$"}, {}, {"^a/"}, {"^a"}, {"^a$"}, {`^a\.b/`}, {"^apps/web/"}, {"^apps/web"}, {"^apps/web/", "^apps/"},
		{"^apps/web/sub/", "^apps/web/sub/deep/x$", `\.go$`}, {"^apps/web/", "^apps/web-2/", `^apps/web\.go$`}, {`\.go$`, "^go.mod$"},
		{"^(?:libs/x|libs/y)/"}, {"^libs/sub/"}, {"^libs/sub$"}, {"^libs/sub/$"}, {"^libs/sub/lib.c$"}, {"^libs/sub/src/deep/"}, {`^libs/sub/.*\.h$`},
		{"^libs/subs/"}, {"^libs/su"}, {"^libs/x/", "^libs/sub/lib"}, {"^third party/"}, {"sub/"},
		{"^libs/web/"}, {"^libs/web$"}, {"(?i)^APPS/"}, {"(?m)^y/"}, {"(?m)^x"}, {"(?:^|/)vendor/"}, {`\bweb\b`}, {"^apps/api/.*$"},
		{"(?s)^apps/api/.*$"}, {"^apps/\\x{FFFD}/"}, {"^apps/api/\\x{FFFD}+$"}, {"^apps/api/ü"}, {" "}, {"\n"}, {`\\`}, {"^/"}, {"^[^/]+$"},
		{"^apps//web/"}, {"^absent/"}, {"^go.mod/"}, {"^apps/web/main.go/"}, {".", "^a"},
	} {
		t.Run(fmt.Sprintf("%q", exprs), func(t *testing.T) {
			var patterns []*contenthash.Pattern
			for _, expr := range exprs {
				patterns = append(patterns, compile(t, expr))
			}
			entries, _, err := tree.Match(t.Context(), patterns)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(naive(lines, exprs), expand(t, r, lines, entries)); diff != "" {
				t.Errorf("Match (-naive +got):\n%s", diff)
			}
		})
	}
}

func TestMatchReadsOnlyWhatItMust(t *testing.T) {
	tests := map[string]struct {
		expr         string
		entries      int
		small, large int64 // trees read with few and with many projects
	}{
		"a folder":           {"^apps/p7/", 1, 2, 2},
		"two folders":        {"^apps/(p7|p3)/", 2, 2, 2},
		"a file of a folder": {"^apps/p7/src/f0$", 1, 4, 4},
		"a file of the root": {"^go.mod$", 1, 1, 1},
		"everything":         {"", 1, 0, 0},
		"a name anywhere":    {"/f0$", 9, 20, 302}, // all trees: what a pattern without an anchor costs
	}
	small, large := bigRepo(t, 9), bigRepo(t, 150)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			few, _ := readsOf(t, small, test.expr)
			many, entries := readsOf(t, large, test.expr)
			if few != test.small || many != test.large {
				t.Errorf("%d trees of 9 projects and %d of 150 were read, want %d and %d", few, many, test.small, test.large)
			}
			if name != "a name anywhere" && entries != test.entries {
				t.Errorf("%d entries match, want %d", entries, test.entries)
			}
		})
	}
}

func bigRepo(tb testing.TB, projects int) *gittest.Repo {
	tb.Helper()
	r := gittest.New(tb)
	r.Write("go.mod", "module x\n")
	for i := range projects {
		r.Write(fmt.Sprintf("apps/p%d/src/f0", i), strconv.Itoa(i))
		r.Write(fmt.Sprintf("apps/p%d/README", i), strconv.Itoa(i))
	}
	r.Commit("projects")
	return r
}

func readsOf(tb testing.TB, r *gittest.Repo, expr string) (reads int64, entries int) {
	tb.Helper()
	tree, objects := snapshot(tb, r)
	found, _, err := tree.Match(tb.Context(), []*contenthash.Pattern{compile(tb, expr)})
	if err != nil {
		tb.Fatal(err)
	}
	return objects.trees.Load(), len(found)
}

func TestMatchGivesSortedEntriesNoneInsideAnother(t *testing.T) {
	tree, _ := snapshot(t, oddRepo(t))
	patterns := []*contenthash.Pattern{
		compile(t, `\.go$`), compile(t, "^apps/web/"), compile(t, "^apps/web/sub/"), compile(t, "^a"), compile(t, "^go"), compile(t, "^go"),
	}
	entries, _, err := tree.Match(t.Context(), patterns)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Path)
	}
	// All that begins with a: folders whole, with the files between them in their
	// place; and submodules, which may hold Go files.
	want := []string{"a", "a-b", "a.b", "a0", "apps", "go.mod", "libs/sub", "third party/sub"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Match (-want +got):\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	r := oddRepo(t)
	tree, _ := snapshot(t, r)
	for path, want := range map[string]bool{
		"": true, ".": true, "apps": true, "apps/web/main.go": true, "apps/api/new\nline.go": true, "apps/\xff/x": true, "libs/sub": true,
		"absent": false, "apps/absent": false, "go.mod/x": false, "libs/sub/lib.c": false, "libs/web/main.go": false,
	} {
		entry, ok, err := tree.Lookup(t.Context(), path)
		if err != nil || ok != want {
			t.Errorf("Lookup(%q) = %v, %v, want %v", path, ok, err, want)
		}
		if !ok {
			continue
		}
		clean := strings.TrimPrefix(path, ".")
		if id := r.ID("HEAD:" + clean); id != string(entry.ID) || entry.Path != clean {
			t.Errorf("Lookup(%q) = %+v, want id %s", path, entry, id)
		}
	}
}

func TestFollow(t *testing.T) {
	r := gittest.New(t)
	r.Write("docker/Dockerfile", "FROM scratch\n")
	r.Symlink("docker/Dockerfile", "direct")
	r.Symlink("../direct", "apps/chain")
	r.Symlink("docker", "folder")
	r.Symlink("../../folder/Dockerfile", "apps/web/both")
	r.Symlink(".", "here")
	r.Symlink("circle2", "circle1")
	r.Symlink("circle1", "circle2")
	r.Symlink("self/x", "self")
	r.Symlink("/etc/passwd", "absolute")
	r.Symlink("../../etc/passwd", "apps/escape")
	r.Symlink("..", "apps/up")
	r.Symlink("../..", "apps/upup")
	r.Symlink("nowhere", "dangling")
	r.Symlink("docker/Dockerfile/x", "throughfile")
	previous := "docker/Dockerfile"
	for i := range 41 {
		r.Symlink(previous, fmt.Sprintf("l%d", i))
		previous = fmt.Sprintf("l%d", i)
	}
	r.Commit("links")
	tests := map[string]struct {
		want []string
		err  string
	}{
		"docker/Dockerfile": {want: []string{"docker/Dockerfile"}},
		"direct":            {want: []string{"direct", "docker/Dockerfile"}},
		"apps/chain":        {want: []string{"apps/chain", "direct", "docker/Dockerfile"}},
		"folder/Dockerfile": {want: []string{"folder", "docker/Dockerfile"}},
		"apps/web/both":     {want: []string{"apps/web/both", "folder", "docker/Dockerfile"}},
		"here/here/direct":  {want: []string{"here", "here", "direct", "docker/Dockerfile"}},
		"apps/up/direct":    {want: []string{"apps/up", "direct", "docker/Dockerfile"}},
		"l38":               {want: nil}, // checked below
		"docker":            {}, "folder": {}, "absent": {}, "dangling": {}, "throughfile": {}, "docker/Dockerfile/x": {},
		"circle1":          {err: "too many symbolic links"},
		"self":             {err: "too many symbolic links"},
		"l40":              {err: "too many symbolic links"},
		"absolute":         {err: "leads out of the repository"},
		"apps/escape":      {err: "leads out of the repository"},
		"apps/upup/x":      {err: "leads out of the repository"},
		"apps/up/../../..": {err: "leads out of the repository"},
	}
	tree, _ := snapshot(t, r)
	for path, test := range tests {
		chain, err := tree.Follow(t.Context(), path)
		var got []string
		for _, e := range chain {
			got = append(got, e.Path)
		}
		switch {
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("Follow(%q) = %v, %v, want the error %q", path, got, err, test.err)
		case test.err == "" && err != nil:
			t.Errorf("Follow(%q) = %v", path, err)
		case path == "l38":
			if len(got) != 40 || got[39] != "docker/Dockerfile" {
				t.Errorf("Follow(%q) passes %d entries, want 39 links and the file", path, len(got))
			}
		case !slices.Equal(got, test.want):
			t.Errorf("Follow(%q) = %q, want %q", path, got, test.want)
		}
	}
}

// BenchmarkThousandProjects hashes 1,000 projects, each with its folder and a file
// of a root that has 1,000 folders.
func BenchmarkThousandProjects(b *testing.B) {
	r := gittest.New(b)
	r.Write("go.mod", "module x\n")
	m := &manifest.Manifest{Projects: map[string]*manifest.Project{}}
	for i := range 1000 {
		name := fmt.Sprintf("p%d", i)
		r.Write(name+"/Dockerfile", name)
		m.Projects[name] = &manifest.Project{Name: name, BuildDir: name, Dockerfile: name + "/Dockerfile", RebuildPatterns: []string{"^" + name + "/", `^go\.mod$`}}
	}
	r.Commit("projects")
	for b.Loop() {
		tree, _ := snapshot(b, r)
		h := contenthash.NewHasher(tree, m, contenthash.Options{})
		for name := range m.Projects {
			if _, err := h.Hash(b.Context(), name); err != nil {
				b.Fatal(err)
			}
		}
	}
}
