package records

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/registry"
)

// Layout says where things are in a registry: with the manifest's location it is
// the one home of the names of repositories and tags.
type Layout struct{ location manifest.Location }

// NewLayout returns the layout at a location, which has been checked.
func NewLayout(location manifest.Location) Layout { return Layout{location} }

// Image is the repository of a project's images.
func (l Layout) Image(project string) registry.Repository { return l.repository(project) }

// Commits is the repository of the commit records.
func (l Layout) Commits() registry.Repository { return l.repository("slipway/commits") }

func (l Layout) repository(name string) registry.Repository {
	return registry.Repository(l.location.Repository(name))
}

// ContentTag marks the image built from a content: "c-3f9a...". Its existence is
// what "built" means.
func ContentTag(h contenthash.Hash) string { return "c-" + string(h) }

// PlatformTag marks one platform's image of an index: "c-3f9a...-arm64" for
// "linux/arm64". Some registries remove what only an index refers to.
func PlatformTag(h contenthash.Hash, platform string) string {
	return ContentTag(h) + "-" + strings.ReplaceAll(strings.TrimPrefix(platform, "linux/"), "/", "-")
}

// CommitTag marks the record of a commit: "k-<commit>".
func CommitTag(commit gitrepo.ObjectID) string { return "k-" + string(commit) }

// BranchTag marks the newest commit record of a branch, as a hint: "branch-main".
func BranchTag(branch string) string { return "branch-" + Slug(branch) }

// CacheTag marks the build cache of a branch: "buildcache-main".
func CacheTag(branch string) string { return "buildcache-" + Slug(branch) }

// slugLength leaves room for a prefix within a tag's 128 characters.
const slugLength = 80

// Slug writes a branch's name as part of a tag. A name that had to be changed,
// or looks as if it had been, gets eight digits of its hash, so that no two
// branches share a slug but by a collision of those.
func Slug(branch string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		default:
			return '-'
		}
	}, branch)
	slug = slug[:min(len(slug), slugLength)]
	if slug == branch && !looksChanged(branch) {
		return slug
	}
	sum := sha256.Sum256([]byte(branch))
	return slug + "-" + hex.EncodeToString(sum[:slugDigits/2])
}

const slugDigits = 8

func looksChanged(branch string) bool {
	at := len(branch) - slugDigits
	return at > 0 && branch[at-1] == '-' && isHex(branch[at:], slugDigits)
}
