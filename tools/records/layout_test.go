package records_test

import (
	"regexp"
	"strings"
	"testing"

	"slipway/manifest"
	"slipway/tools/records"
	"slipway/tools/registry"
)

func TestNames(t *testing.T) {
	nested := records.NewLayout("ghcr.io/acme")
	flat := records.NewLayout(manifest.Location("docker.io/acme/mono-{name}"))
	tests := map[string][2]string{
		"image":         {string(nested.Image("web")), "ghcr.io/acme/web"},
		"commits":       {string(nested.Commits()), "ghcr.io/acme/slipway/commits"},
		"image, flat":   {string(flat.Image("web")), "docker.io/acme/mono-web"},
		"commits, flat": {string(flat.Commits()), "docker.io/acme/mono-slipway--commits"},
		"content":       {records.ContentTag(hash), "c-" + string(hash)},
		"commit":        {records.CommitTag(commitID), "k-" + commitID},
		"branch":        {records.BranchTag("main"), "branch-main"},
		"cache":         {records.CacheTag("main"), "buildcache-main"},
	}
	for name, test := range tests {
		if test[0] != test[1] {
			t.Errorf("%s = %q, want %q", name, test[0], test[1])
		}
	}
	var _ registry.Repository = nested.Image("web")
}

func TestSlug(t *testing.T) {
	tests := map[string]string{
		"main": "main", "release-1.2": "release-1.2", "v1_x": "v1_x", "-x.": "-x.",
		"feature/x": "feature-x-", "feature/X": "feature---", "Main": "-ain-", "ünï": "-n--", "a b": "a-b-", "": "",
		strings.Repeat("x", 81): strings.Repeat("x", 80) + "-", strings.Repeat("x", 80): strings.Repeat("x", 80),
		"\xff": "--",
	}
	for branch, prefix := range tests {
		slug := records.Slug(branch)
		changed := strings.HasSuffix(prefix, "-") && branch != "-x."
		if !strings.HasPrefix(slug, prefix) || changed != (len(slug) == len(prefix)+8) {
			t.Errorf("Slug(%q) = %q, want %q", branch, slug, prefix)
		}
	}
}

// FuzzSlug looks for names that are no tags, and for two branches of one slug.
func FuzzSlug(f *testing.F) {
	f.Add("feature/x", "feature-x")
	f.Add("feature/x", "feature-x-3ae9a4a0")
	f.Add(strings.Repeat("x", 200), strings.Repeat("x", 80))
	f.Add("ünï", "\xff\xfe")
	f.Add("Main", "main")
	tag := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{records.BranchTag(a), records.CacheTag(a)} {
			if !tag.MatchString(name) {
				t.Errorf("branch %q has the tag %q", a, name)
			}
		}
		for _, other := range []string{b, records.Slug(a)} { // a branch may be called like another's slug
			if a != other && records.Slug(a) == records.Slug(other) {
				t.Errorf("branches %q and %q share the slug %q", a, other, records.Slug(a))
			}
		}
	})
}
