package records_test

import (
	"errors"
	"fmt"
	"testing"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/records"
	"slipway/tools/registry"
)

// index puts an index of the images, one a platform.
func (s store) index(tb testing.TB, project string, images map[string]registry.Digest) registry.Digest {
	tb.Helper()
	list := ""
	for arch, d := range images {
		if list != "" {
			list += ","
		}
		list += fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":200,"platform":{"os":"linux","architecture":%q}}`, imageType, d, arch)
	}
	body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, registry.MediaTypeIndex, list)
	d, err := s.client.Put(tb.Context(), s.Image(project), "", registry.MediaTypeIndex, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return d.Digest
}

func TestPlatformTag(t *testing.T) {
	for platform, want := range map[string]string{
		"linux/amd64":   "c-" + string(hash) + "-amd64",
		"linux/arm/v7":  "c-" + string(hash) + "-arm-v7",
		"windows/amd64": "c-" + string(hash) + "-windows-amd64",
	} {
		if got := records.PlatformTag(hash, platform); got != want {
			t.Errorf("PlatformTag(%q) = %q, want %q", platform, got, want)
		}
	}
}

func TestMarkBuiltTagsEachPlatformFirst(t *testing.T) {
	s := newStore(t)
	image := s.image(t, "web")
	index := s.index(t, "web", map[string]registry.Digest{"amd64": image, "arm64": image})
	if err := s.MarkBuilt(t.Context(), "web", hash, index); err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]registry.Digest{
		records.ContentTag(hash): index, records.PlatformTag(hash, "linux/amd64"): image, records.PlatformTag(hash, "linux/arm64"): image,
	} {
		if d, err := s.client.Head(t.Context(), s.Image("web"), tag); err != nil || d.Digest != want {
			t.Errorf("%s is %q, %v, want %q", tag, d.Digest, err, want)
		}
	}
}

func TestAnIndexIsNotBuiltWhereAPlatformCannotBeTagged(t *testing.T) {
	s := newStore(t)
	image := s.image(t, "web")
	index := s.index(t, "web", map[string]registry.Digest{"amd64": image, "arm64": image})
	s.Inject(regtest.Rule{Method: "PUT", Class: regtest.Manifests, Skip: 1, Do: regtest.Status(500)})
	if err := s.MarkBuilt(t.Context(), "web", hash, index); err == nil || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("MarkBuilt = %v, want the fault", err)
	}
	s.Mend()
	s.absent(t, s.Image("web"), records.ContentTag(hash))
}
