package build

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/manifest"
	"slipway/tools/ci"
	"slipway/tools/gitrepo"
	"slipway/tools/workspace"
)

func write(tb testing.TB, path, text string) string {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestReadSecret(t *testing.T) {
	tree, allowed, other := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(tree, "config", "token"), "in the tree")
	mounted := write(t, filepath.Join(allowed, "token"), "mounted")
	host := write(t, filepath.Join(other, "token"), "of the host")
	for path, target := range map[string]string{filepath.Join(tree, "link"): host, filepath.Join(allowed, "link"): host} {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(tree, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, ".git", "HEAD"), "ref: refs/heads/main\n")
	write(t, filepath.Join(tree, ".git", "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
	for _, dir := range []string{"objects", "refs"} {
		if err := os.Mkdir(filepath.Join(tree, ".git", dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	repo, err := gitrepo.Open(t.Context(), gitrepo.Options{Dir: tree})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = repo.Close() }()
	c := &Command{SecretsFrom: []string{allowed}}
	event := ci.Detect(func(name string) string { return map[string]string{"TOKEN": "of the environment"}[name] })
	for name, tt := range map[string]struct {
		secret manifest.Secret
		want   string // "" is a refusal
	}{
		"a variable":                        {manifest.Secret{Env: "TOKEN"}, "of the environment"},
		"a variable that is not set":        {manifest.Secret{Env: "NONE"}, ""},
		"a file of the work tree":           {manifest.Secret{File: "config/token"}, "in the tree"},
		"a path that leaves it":             {manifest.Secret{File: "../" + filepath.Base(other) + "/token"}, ""},
		"a link that leaves it":             {manifest.Secret{File: "link"}, ""},
		"a file of an allowed folder":       {manifest.Secret{File: mounted}, "mounted"},
		"a link that leaves that":           {manifest.Secret{File: filepath.Join(allowed, "link")}, ""},
		"a path that leaves that":           {manifest.Secret{File: allowed + "/../" + filepath.Base(other) + "/token"}, ""},
		"any other file":                    {manifest.Secret{File: host}, ""},
		"a folder that only begins like it": {manifest.Secret{File: allowed + "x/token"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.readSecret(event, &workspace.Workspace{Repo: repo}, tt.secret)
			if string(got) != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("readSecret() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
