package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/servers"
)

// fewest writes that two images, their two tags and a commit's record can take.
const fewest = 8

// TestKilledAtEveryWrite kills a build at its first write to the registry, the
// next one at its second, and so on until one is through: before the write
// reaches the registry, and again when it is done but not yet answered.
// Whatever is left behind then, no tag says that an image is built that is not
// wholly there, and building again succeeds.
func TestKilledAtEveryWrite(t *testing.T) {
	realServers(t)
	host, builder := servers.Registry(t).Host, servers.BuildKit(t)
	repo := twoProjects(t)
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%t", late), func(t *testing.T) {
			t.Parallel()
			trap := &trap{next: forward(t, host)}
			proxy := serve(t, trap)
			for n := 1; ; n++ {
				prefix := fmt.Sprintf("kill-%t-%d", late, n)
				k := &killing{T: t, trap: trap, direct: host + "/" + prefix,
					m: &machine{Repo: repo, tb: t, builder: builder, registry: proxy + "/" + prefix}}
				if !k.at(n, late) {
					t.Logf("%d writes, killed at each", n-1)
					if n <= fewest {
						t.Error("so few writes cannot be all that a build has")
					}
					break
				}
			}
		})
	}
}

// twoProjects is a repository in which one project is made from another.
func twoProjects(t *testing.T) *gittest.Repo {
	t.Helper()
	repo := gittest.New(t)
	repo.Write("build_manifest.json", `{"version": 1, "name": "two", "projects": {
		"base": {"buildDir": "base"},
		"web": {"buildDir": "web", "dependencies": ["base"]}}}`)
	repo.Write("base/Dockerfile", "FROM scratch\nCOPY . /src/base\n")
	repo.Write("web/Dockerfile", "FROM base\nCOPY . /src/web\n")
	repo.Commit("two projects")
	return repo
}

// killing is one build that is killed, and what comes after.
type killing struct {
	*testing.T
	trap   *trap
	m      *machine
	direct string // where the registry has it, without the trap
}

// at kills a build at its n-th write; false when it has fewer.
func (k *killing) at(n int, late bool) bool {
	k.Helper()
	started := make(chan *process, 1)
	k.trap.set(n, late, func() {
		p := <-started
		p.kill()
		<-p.done
	})
	p := k.m.build()
	started <- p
	<-p.done
	writes, sprung := k.trap.seen()
	if !sprung {
		p.wants(0)
		return false
	}
	k.recordsAreTrue(writes)
	k.trap.set(0, false, nil)
	again := k.m.build()
	again.wants(0)
	k.recordsAreTrue(writes)
	if r := again.report(); !r.Recorded || len(r.named("built"))+len(r.named("reused")) != 2 {
		k.Errorf("killed at %s, building again came to %+v", writes[n-1], r)
	}
	return true
}

// recordsAreTrue pulls every image that a tag says is built.
func (k *killing) recordsAreTrue(writes []string) {
	k.Helper()
	for _, project := range []string{"base", "web"} {
		repository := k.direct + "/" + project
		for _, tag := range tags(k.T, repository) {
			if !strings.HasPrefix(tag, "c-") {
				continue
			}
			if err := pull(k.T, repository+":"+tag); err != nil {
				k.Errorf("killed at %s, %s:%s is recorded as built: %v", writes[len(writes)-1], project, tag, err)
			}
		}
	}
}

// TestPullMissesABlob holds what TestKilledAtEveryWrite relies on: an image with a
// blob missing is told from a whole one.
func TestPullMissesABlob(t *testing.T) {
	realServers(t)
	host := servers.Registry(t).Host
	image, digest, _ := strings.Cut(servers.BaseImage(t, host, "base"), "@")
	check(t, pull(t, image+"@"+digest))
	var manifest struct{ Layers []struct{ Digest string } }
	check(t, json.Unmarshal(ask(t, http.MethodGet, "http://"+host+"/v2/base/manifests/"+digest, "", nil), &manifest))
	ask(t, http.MethodDelete, "http://"+host+"/v2/base/blobs/"+manifest.Layers[0].Digest, "", nil)
	if pull(t, image+"@"+digest) == nil {
		t.Error("an image without its layer counts as whole")
	}
}

// pull reads an image with all its blobs, which are verified on the way.
func pull(tb testing.TB, reference string) error {
	tb.Helper()
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return err
	}
	image, err := remote.Image(ref, remote.WithContext(tb.Context()))
	if err != nil {
		return err
	}
	if _, err := image.ConfigFile(); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := readAll(layer); err != nil {
			return err
		}
	}
	return nil
}

func readAll(layer v1.Layer) error {
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	_, err = io.Copy(io.Discard, content)
	return err
}
