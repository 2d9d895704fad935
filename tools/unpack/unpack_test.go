package unpack_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/unpack"
)

type header = tar.Header

func file(name, content string) entry { return entry{header{Name: name, Mode: 0o644}, content} }

func folder(name string) entry {
	return entry{header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}, ""}
}

func symlink(name, target string) entry {
	return entry{header{Name: name, Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: target}, ""}
}

func hardLink(name, target string) entry {
	return entry{header{Name: name, Mode: 0o644, Typeflag: tar.TypeLink, Linkname: target}, ""}
}

type entry struct {
	header
	content string
}

func archive(tb testing.TB, entries []entry) *bytes.Buffer {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.content))
		if err := w.WriteHeader(&e.header); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return &b
}

// tree lists what is below dir: contents of files, "-> target" of links, "/" of folders.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
		case d.IsDir():
			found[name] = "/"
		case d.Type() == fs.ModeSymlink:
			found[name], err = os.Readlink(path)
			found[name] = "-> " + found[name]
		default:
			var content []byte
			content, err = os.ReadFile(path)
			found[name] = string(content)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func TestTar(t *testing.T) {
	image := []entry{
		folder("app"), file("app/main", "m"), file("app/sub/x", "x"), symlink("app/link", "main"), file("app2/y", "y"),
		hardLink("app/hard", "app/main"), file("etc/passwd", "root"),
	}
	tests := map[string]struct {
		entries []entry
		from    string
		want    map[string]string
		count   int
	}{
		"everything": {image, "", map[string]string{
			"app": "/", "app/main": "m", "app/sub": "/", "app/sub/x": "x", "app/link": "-> main", "app/hard": "m", "app2": "/", "app2/y": "y",
			"etc": "/", "etc/passwd": "root",
		}, 7},
		"a folder":             {image, "/app", map[string]string{"main": "m", "sub": "/", "sub/x": "x", "link": "-> main", "hard": "m"}, 4},
		"a folder with dots":   {image, "./x/../app/", map[string]string{"main": "m", "sub": "/", "sub/x": "x", "link": "-> main", "hard": "m"}, 4},
		"a file":               {image, "/app/sub/x", map[string]string{"x": "x"}, 1},
		"nothing of this name": {image, "/absent", map[string]string{}, 0},
		"absolute names":       {[]entry{file("/a/b", "1")}, "", map[string]string{"a": "/", "a/b": "1"}, 1},
		"names with dots":      {[]entry{file("./a/./b", "1"), folder("./")}, "", map[string]string{"a": "/", "a/b": "1"}, 1},
		"the last one wins":    {[]entry{file("a", "1"), file("a", "2")}, "", map[string]string{"a": "2"}, 2},
		"a link made a file":   {[]entry{file("a", "1"), symlink("b", "a"), file("b", "2")}, "", map[string]string{"a": "1", "b": "2"}, 3},
		"a hard link made a file": {[]entry{file("a", "1"), hardLink("b", "a"), file("b", "2")}, "",
			map[string]string{"a": "1", "b": "2"}, 3},
		"links that lead nowhere, or out": {[]entry{symlink("a", "../../etc/passwd"), symlink("b", "/etc/passwd")}, "",
			map[string]string{"a": "-> ../../etc/passwd", "b": "-> /etc/passwd"}, 2},
		"through a link that stays inside": {[]entry{folder("usr/bin"), symlink("bin", "usr/bin"), file("bin/sh", "s")}, "",
			map[string]string{"usr": "/", "usr/bin": "/", "usr/bin/sh": "s", "bin": "-> usr/bin"}, 3},
		"special files": {[]entry{
			{header{Name: "pipe", Typeflag: tar.TypeFifo}, ""}, {header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""},
			{header{Name: "disk", Typeflag: tar.TypeBlock}, ""}, {header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, ""},
		}, "", map[string]string{}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "new", "folder")
			count, err := unpack.Tar(archive(t, test.entries), test.from, to)
			if err != nil || count != test.count {
				t.Errorf("Tar = %d, %v, want %d", count, err, test.count)
			}
			if diff := cmp.Diff(test.want, tree(t, to)); diff != "" {
				t.Errorf("Tar (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTarNeverLeavesItsFolder(t *testing.T) {
	tests := map[string]struct {
		entries []entry
		from    string
	}{
		"a name":                       {[]entry{file("../outside", "evil")}, ""},
		"a name that comes back":       {[]entry{file("a/../../outside", "evil")}, ""},
		"an absolute name":             {[]entry{file("/../outside", "evil")}, ""},
		"a link to a folder":           {[]entry{symlink("a", ".."), file("a/outside", "evil")}, ""},
		"an absolute link to a folder": {[]entry{symlink("a", "ABOVE"), file("a/outside", "evil")}, ""},
		"two links":                    {[]entry{symlink("a", "."), symlink("a/b", ".."), file("b/outside", "evil")}, ""},
		"a link to a new folder":       {[]entry{symlink("a", "../new"), folder("a"), file("a/x", "evil")}, ""},
		"a folder through a link":      {[]entry{symlink("a", ".."), folder("a/outside2")}, ""},
		"a link through a link":        {[]entry{symlink("a", ".."), symlink("a/outside2", "x")}, ""},
		"a hard link to the outside":   {[]entry{hardLink("a", "../outside"), file("a", "evil")}, ""},
		"a hard link through a link":   {[]entry{symlink("a", ".."), hardLink("b", "a/outside")}, ""},
		"a hard link to what is left":  {[]entry{file("other/x", "1"), hardLink("app/a", "other/x")}, "app"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			above := t.TempDir()
			if err := os.WriteFile(filepath.Join(above, "outside"), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			for i := range test.entries {
				test.entries[i].Linkname = strings.ReplaceAll(test.entries[i].Linkname, "ABOVE", above)
			}
			if _, err := unpack.Tar(archive(t, test.entries), test.from, filepath.Join(above, "to")); err == nil {
				t.Error("Tar gives no error")
			}
			got := tree(t, above)
			for path := range got {
				if path == "to" || strings.HasPrefix(path, "to/") {
					delete(got, path)
				}
			}
			if diff := cmp.Diff(map[string]string{"outside": "mine"}, got); diff != "" {
				t.Errorf("beside the folder (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTarOverwritesLinksNotTheirTargets(t *testing.T) {
	above := t.TempDir()
	to := filepath.Join(above, "to")
	secret := filepath.Join(above, "secret")
	for _, err := range []error{os.Mkdir(to, 0o700), os.WriteFile(secret, []byte("mine"), 0o600), os.Symlink(secret, filepath.Join(to, "a"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unpack.Tar(archive(t, []entry{file("a", "new")}), "", to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"secret": "mine", "to": "/", "to/a": "new"}, tree(t, above)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTarKeepsPermissionsButNoMore(t *testing.T) {
	to := t.TempDir()
	_, err := unpack.Tar(archive(t, []entry{
		{header{Name: "run", Mode: 0o755, Uid: 1234, Gid: 1234}, ""}, {header{Name: "plain", Mode: 0o644}, ""}, {header{Name: "setuid", Mode: 0o4755}, ""},
		{header{Name: "closed", Mode: 0o555, Typeflag: tar.TypeDir}, ""}, {header{Name: "closed/x", Mode: 0o400}, ""},
	}), "", to)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"run": 0o755, "plain": 0o644, "setuid": 0o755, "closed": fs.ModeDir | 0o755, "closed/x": 0o400}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil || info.Mode()&^0o022 != mode&^0o022 { // whatever the umask
			t.Errorf("%s has the mode %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

func TestTarOfACutArchive(t *testing.T) {
	whole := archive(t, []entry{file("a", strings.Repeat("x", 4000)), file("b", "y")}).Bytes()
	for _, n := range []int{100, 700, 3000, 4700} {
		if _, err := unpack.Tar(bytes.NewReader(whole[:n]), "", t.TempDir()); err == nil {
			t.Errorf("an archive cut at %d gives no error", n)
		}
	}
	count, err := unpack.Tar(iotest.TimeoutReader(bytes.NewReader(whole)), "", t.TempDir())
	if err == nil || count != 0 {
		t.Errorf("a broken reader gives %d, %v", count, err)
	}
}
