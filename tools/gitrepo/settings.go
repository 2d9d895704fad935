package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// settings is what a repository's own configuration says that matters here.
type settings struct {
	bare     bool
	workTree string
	sha256   bool
	promisor string            // the remote that a partial clone fetches from, else ""
	remotes  map[string]string // name -> first URL
}

// idLen is the length of an object id in bytes.
func (s settings) idLen() int {
	if s.sha256 {
		return 32
	}
	return 20
}

func readSettings(p place) (settings, error) {
	file := filepath.Join(p.commonDir, "config")
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return settings{}, nil // git takes its defaults then
	}
	if err != nil {
		return settings{}, fmt.Errorf("reading the repository's configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	raw := config.New()
	if err := config.NewDecoder(f).Decode(raw); err != nil {
		return settings{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return settingsOf(raw), nil
}

func settingsOf(raw *config.Config) settings {
	core, extensions := raw.Section("core"), raw.Section("extensions")
	s := settings{
		bare:     isTrue(core.Option("bare")),
		workTree: core.Option("worktree"),
		sha256:   strings.EqualFold(extensions.Option("objectformat"), "sha256"),
		promisor: extensions.Option("partialclone"),
		remotes:  map[string]string{},
	}
	for _, remote := range raw.Section("remote").Subsections {
		if urls := remote.OptionAll("url"); len(urls) > 0 {
			s.remotes[remote.Name] = urls[0]
		}
		if s.promisor == "" && isTrue(remote.Option("promisor")) {
			s.promisor = remote.Name
		}
	}
	return s
}

func isTrue(value string) bool {
	return slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(value))
}
