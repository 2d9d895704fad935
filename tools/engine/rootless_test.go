package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/tools/internal/proc"
	"slipway/tools/internal/testkit/servers"
)

// asNobody runs its arguments as a user that exists only for them, in a mount
// namespace of their own: nothing of the machine is changed. $1 is a folder with
// the files to lay over, $2 the tools cache, $3 the test binary.
const asNobody = `set -e
for f in passwd group subuid subgid; do mount --bind "$1/$f" "/etc/$f"; done
mount --bind "$2" "$1/tools"
touch "$1/engine.test"
mount --bind "$3" "$1/engine.test"
cd "$1/home"
exec setpriv --reuid 51234 --regid 51234 --clear-groups --inh-caps=-all env -i PATH=/usr/bin:/bin \
  HOME="$1/home" SLIPWAY_TOOLS="$1/tools" "$1/engine.test" -test.v \
  -test.run '^(TestSolve|TestNetworkNone|TestLocalDaemons|TestReproducible)$'
`

var logged = regexp.MustCompile(`digest (sha256:[0-9a-f]{64})`)

// TestRootless runs tests of the local buildkitd again as a user without rights:
// they pass, and the images are the very same.
func TestRootless(t *testing.T) {
	realServers(t)
	if os.Getuid() != 0 {
		return // then the tests themselves have been rootless
	}
	dir := t.TempDir()
	layOut(t, dir)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Dir(filepath.Dir(servers.Tool(t, "buildkitd")))
	var out bytes.Buffer
	cmd := proc.Cmd{Args: []string{"unshare", "--mount", "sh", "-c", asNobody, "sh", dir, tools, binary}, Stdout: &out, Stderr: &out}
	if err := cmd.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if n := strings.Count(out.String(), "--- PASS: Test"); n != 4 {
		t.Errorf("%d tests passed\n%s", n, out.String())
	}
	m := logged.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("no digest in\n%s", out.String())
	}
	e, host := local(t), newRegistry(t)
	r := webApp(base(t, e, host))
	r.Repository = host + "/web"
	if got := solve(t, e, r).Digest; got != m[1] {
		t.Errorf("as root %s, rootless %s", got, m[1])
	}
}

// layOut makes the user's files and the places to mount over.
func layOut(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string]string{
		"passwd": "root:x:0:0::/root:/bin/sh\nbuilder:x:51234:51234::" + dir + "/home:/bin/sh\n",
		"group":  "root:x:0:\nbuilder:x:51234:\n", "subuid": "builder:200000:65536\n", "subgid": "builder:200000:65536\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"home", "tools"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(dir, "home"), 51234, 51234); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // another user goes there
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
