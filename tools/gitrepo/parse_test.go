package gitrepo

import (
	"slices"
	"strings"
	"testing"
)

func TestStripCredentials(t *testing.T) {
	tests := map[string]string{
		"":                                       "",
		"https://example.com/a/b.git":            "https://example.com/a/b.git",
		"https://user@example.com/a":             "https://example.com/a",
		"https://user:p%40ss@example.com:8443/a": "https://example.com:8443/a",
		"https://user:p@ss:w@example.com/a":      "https://example.com/a",
		"https://example.com/a@b":                "https://example.com/a@b",
		"https://u:p@example.com":                "https://example.com",
		"http://u:p@example.com?x=@":             "http://example.com?x=@",
		"ssh://git@example.com:22/a":             "ssh://git@example.com:22/a",
		"ssh://git:secret@example.com/a":         "ssh://git@example.com/a",
		"git+ssh://git:secret@example.com/a":     "git+ssh://git@example.com/a",
		"git@example.com:a/b.git":                "git@example.com:a/b.git",
		"/srv/git/a@b.git":                       "/srv/git/a@b.git",
		"file:///srv/git/a@b.git":                "file:///srv/git/a@b.git",
		`C:\repos\a`:                             `C:\repos\a`,
	}
	for url, want := range tests {
		if got := stripCredentials(url); got != want {
			t.Errorf("stripCredentials(%q) = %q, want %q", url, got, want)
		}
	}
}

func FuzzStripCredentials(f *testing.F) {
	f.Add("https", "user:pass", "example.com/a")
	f.Fuzz(func(t *testing.T, scheme, user, rest string) {
		got := stripCredentials(scheme + "://" + user + "@" + rest)
		if again := stripCredentials(got); !strings.Contains(user+rest+scheme, "@") && again != got {
			t.Errorf("%q is stripped again to %q", got, again)
		}
		if scheme == "https" && len(user) > 3 && !strings.ContainsAny(user, "/?#") && strings.Contains(got, user) && !strings.Contains(rest, user) {
			t.Errorf("%q still holds %q", got, user)
		}
	})
}

func TestArguments(t *testing.T) {
	status := "status --porcelain=v2 -z --no-renames --untracked-files=all --ignore-submodules=none"
	if got := strings.Join(statusArgs(), " "); got != status {
		t.Errorf("git %s", got)
	}
	fetch := "-c fetch.negotiationAlgorithm=noop -c maintenance.auto=false -c gc.auto=0 " +
		"fetch --quiet --no-tags --no-write-fetch-head --recurse-submodules=no --filter=blob:none --stdin -- -odd"
	if got := strings.Join(fetchArgs("-odd"), " "); got != fetch {
		t.Errorf("git %s", got)
	}
}

func TestProgramEnv(t *testing.T) {
	got := programEnv([]string{"HOME=/h", "GIT_DIR=x", "GIT_INDEX_FILE=y", "GIT_OBJECT_DIRECTORY=z", "GIT_CONFIG_COUNT=1", "GIT_SSH_COMMAND=ssh -i k"})
	want := []string{
		"HOME=/h", "GIT_CONFIG_COUNT=1", "GIT_SSH_COMMAND=ssh -i k",
		"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C", "LANGUAGE=C",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestAlternatesAreQuoted(t *testing.T) {
	got := alternates("/plain", "/a:b", `/q"uote`)
	if want := `GIT_ALTERNATE_OBJECT_DIRECTORIES=/plain:"/a:b":"/q\"uote"`; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestParseStatusRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, out := range []string{"2 R. N... 1 2 3 4 5 R100 new\x00old\x00", "x", "1 short\x00"} {
		if records, err := parseStatus(out); err == nil {
			t.Errorf("%q reads as %q", out, records)
		}
	}
}

// sortName is the key whose order git's documentation describes.
func sortName(e Entry) string {
	if e.Mode.IsTree() {
		return e.Name + "/"
	}
	return e.Name
}

func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("\x01", 20)
	f.Add([]byte("100644 a\x00"+id+"40000 b\x00"+id), 20)
	f.Add([]byte("120000 \xff\n\x00"+id+"160000 z z\x00"+id), 20)
	f.Add([]byte("100644 a\x00"+id+id[:12]), 32)
	f.Fuzz(func(t *testing.T, body []byte, idLen int) {
		if idLen != 20 && idLen != 32 {
			return
		}
		entries, err := parseTree(body, idLen)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for i, e := range entries {
			if seen[e.Name] || !validName(e.Name) || len(e.ID) != 2*idLen || i > 0 && sortName(entries[i-1]) >= sortName(e) {
				t.Errorf("entry %d: %v", i, e)
			}
			seen[e.Name] = true
			if found, ok := find(entries, e.Name); !ok || found != e {
				t.Errorf("find(%q) = %v, %t", e.Name, found, ok)
			}
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte("tree " + id + "\nparent " + id + "\nauthor A <a> 1 +0000\ncommitter A <a> 1700000000 +0100\ngpgsig x\n y\n\nmessage\n"))
	f.Add([]byte("tree " + id + "\ncommitter A <a>\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseCommit(object{id: ObjectID(id), kind: kindCommit, body: body})
		if err == nil && !validID(string(c.Tree)) {
			t.Errorf("tree %q", c.Tree)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(strings.Repeat("a", 40) + " blob 12")
	f.Add("HEAD missing")
	f.Fuzz(func(t *testing.T, line string) {
		if o, err := parseHeader(line); err == nil && (o.size < 0 || !validID(string(o.id))) {
			t.Errorf("%q reads as %v", line, o)
		}
	})
}
