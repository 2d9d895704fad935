package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/servers"
)

// TestKilledAtEveryWrite kills a build at its first write to the registry, the
// next one at its second, and so on until one is through: before the write
// reaches the registry, and again when it is done but not yet answered.
// Whatever is left behind then, no tag says that an image is built that is not
// wholly there, and building again succeeds.
func TestKilledAtEveryWrite(t *testing.T) {
	realServers(t)
	t.Parallel()
	host, builder := servers.Registry(t).Host, servers.BuildKit(t)
	for name, v := range map[string]victim{
		// Two images, their two tags, and a commit's record.
		"two projects": {repo: twoProjects(t), fewest: 8, tags: 1},
		// Two images, their index, a tag for each of them, and a record.
		"two platforms": {repo: twoPlatforms(t), fewest: 10, tags: 3},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late=%t", name, late), func(t *testing.T) {
				t.Parallel()
				v.killAtEvery(t, host, builder, late)
			})
		}
	}
}

// victim is a repository whose builds are killed.
type victim struct {
	repo   *gittest.Repo
	fewest int // writes that building and recording it can take
	tags   int // that say in the end that web is built
}

func (v victim) killAtEvery(t *testing.T, host, builder string, late bool) {
	t.Helper()
	trap := &trap{next: forward(t, host)}
	proxy := serve(t, trap)
	for n := 1; ; n++ {
		prefix := fmt.Sprintf("%s-%d", prefixOf(t.Name()), n)
		k := &killing{T: t, trap: trap, direct: host + "/" + prefix,
			m: &machine{Repo: v.repo, tb: t, builder: builder, registry: proxy + "/" + prefix}}
		if k.at(n, late) {
			continue
		}
		t.Logf("%d writes, killed at each", n-1)
		if n <= v.fewest {
			t.Error("so few writes cannot be all that a build has")
		}
		if is := tags(t, k.direct+"/web"); len(recording(is)) != v.tags {
			t.Errorf("%q are not %d that say that web is built", is, v.tags)
		}
		return
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

// twoPlatforms is a repository of one project, for two platforms.
func twoPlatforms(t *testing.T) *gittest.Repo {
	t.Helper()
	repo := gittest.New(t)
	repo.Write("build_manifest.json", `{"version": 1, "name": "platforms", "projects": {
		"web": {"buildDir": "web", "platforms": ["linux/amd64", "linux/arm64"]}}}`)
	repo.Write("web/Dockerfile", "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY . /src/web\n")
	repo.Commit("two platforms")
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
	if r := again.report(); !r.Recorded || len(r.named("built"))+len(r.named("reused")) != len(r.Projects) {
		k.Errorf("killed at %s, building again came to %+v", writes[n-1], r)
	}
	return true
}

// recordsAreTrue pulls every image that a tag says is built.
func (k *killing) recordsAreTrue(writes []string) {
	k.Helper()
	for _, project := range []string{"base", "web"} {
		repository := k.direct + "/" + project
		for _, tag := range recording(tags(k.T, repository)) {
			if err := pull(k.T, repository+":"+tag); err != nil {
				k.Errorf("killed at %s, %s:%s is recorded as built: %v", writes[len(writes)-1], project, tag, err)
			}
		}
	}
}

// recording are those among tags that say that a content is built.
func recording(tags []string) []string {
	return slices.DeleteFunc(tags, func(tag string) bool { return !strings.HasPrefix(tag, "c-") })
}

// TestPullMissesABlob holds what TestKilledAtEveryWrite relies on: an image with a
// blob missing is told from a whole one.
func TestPullMissesABlob(t *testing.T) {
	realServers(t)
	t.Parallel()
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

// pull reads an image, or those of every platform of an index, with all blobs:
// they are verified on the way.
func pull(tb testing.TB, reference string) error {
	tb.Helper()
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return err
	}
	found, err := remote.Get(ref, remote.WithContext(tb.Context()))
	if err != nil {
		return err
	}
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return err
		}
		return readImage(image)
	}
	index, err := found.ImageIndex()
	if err != nil {
		return err
	}
	platforms, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, platform := range platforms.Manifests {
		image, err := index.Image(platform.Digest)
		if err != nil {
			return err
		}
		if err := readImage(image); err != nil {
			return fmt.Errorf("%s: %w", platform.Platform, err)
		}
	}
	return nil
}

func readImage(image v1.Image) error {
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
