package e2e

import (
	"slices"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/servers"
)

// story is a history by name.
type story struct {
	name string
	tell func(*history)
}

// everything is what a first build builds.
var everything = []string{"app", "lib", "solo", "tool"}

func TestHistories(t *testing.T) {
	realServers(t)
	t.Parallel()
	newest, old := servers.Registry(t).Host, servers.OldRegistry(t).Host
	builders := []string{servers.BuildKit(t), servers.BuildKit(t)}
	all := slices.Concat(changes(), forms(), teams(), machines(), pipelines(), accidents())
	onNewest, onOld := newTable(), newTable()
	t.Run("distribution", func(t *testing.T) { tellAll(t, newest, builders, all, onNewest) })
	t.Run("docker-registry", func(t *testing.T) { tellAll(t, old, builders, some(all), onOld) })
	document(t, all, onNewest, onOld)
}

// some are the histories that are told on Debian's docker-registry as well: one
// of each kind of thing that a registry is asked for.
func some(all []story) []story {
	chosen := map[string]bool{
		"one leaf changed": true, "shared library changed": true, "squash merge": true, "revert": true,
		"failed build, then an unrelated commit": true, "killed while building": true,
		"two builders of the same content": true, "branch hint overwritten by junk": true,
		"image deleted that a dependent needs": true, "shallow clone": true,
		"matrix pipeline": true, "image deleted, and --verify": true,
	}
	var stories []story
	for _, s := range all {
		if chosen[s.name] {
			stories = append(stories, s)
		}
	}
	return stories
}

// tellAll tells stories side by side, each below its own prefix of the registry.
func tellAll(t *testing.T, host string, builders []string, stories []story, rows *table) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, host, prefixOf(s.name), builders...)
			s.tell(h)
			rows.add(s.name, h.tally)
		})
	}
}

// changes are histories of one person on one machine.
func changes() []story {
	return append([]story{
		{"first build", func(h *history) {
			h.Builds(everything...)
		}},
		{"nothing changed", func(h *history) {
			h.Builds(everything...)
			h.Builds()
			h.Builds()
		}},
		{"documents only", func(h *history) {
			h.Builds(everything...)
			h.Write("README.md", "two\n")
			h.Commit("documents")
			h.Builds()
		}},
		{"one leaf changed", func(h *history) {
			h.Builds(everything...)
			h.change("services/app", "two")
			h.Builds("app")
		}},
		{"shared library changed", func(h *history) {
			h.Builds(everything...)
			h.change("libs/lib", "two")
			h.Builds("lib", "app")
		}},
		{"base tool changed", func(h *history) {
			h.Builds(everything...)
			h.change("tools/tool", "two")
			h.Builds("tool", "lib", "app")
		}},
		{"several changes between builds", func(h *history) {
			h.Builds(everything...)
			h.change("services/app", "two")
			h.change("solo", "two")
			h.Builds("app", "solo")
		}},
		{"revert", func(h *history) {
			h.Builds(everything...)
			change := h.change("libs/lib", "two")
			h.Builds("lib", "app")
			h.Revert(change)
			h.Builds()
		}},
	}, append(files(), definitions()...)...)
}

// files are what can become of files.
func files() []story {
	return []story{
		{"file renamed", func(h *history) {
			h.Builds(everything...)
			h.Rename("services/app/main.txt", "services/app/renamed.txt")
			h.Commit("rename")
			h.Builds("app")
			h.Rename("services/app/renamed.txt", "services/app/main.txt")
			h.Commit("rename back")
			h.Builds()
		}},
		{"file added, then removed", func(h *history) {
			h.Builds(everything...)
			h.Write("solo/more.txt", "more\n")
			h.Commit("add")
			h.Builds("solo")
			h.Remove("solo/more.txt")
			h.Commit("remove")
			h.Builds()
		}},
		{"file moved between projects", func(h *history) {
			h.Write("solo/more.txt", "more\n")
			h.Commit("add")
			h.Builds(everything...)
			h.Rename("solo/more.txt", "services/app/more.txt")
			h.Commit("move")
			h.Builds("app", "solo")
		}},
		{"mode only", func(h *history) {
			h.Builds(everything...)
			h.Chmod("libs/lib/main.txt", 0o755)
			h.Commit("chmod")
			h.Builds("lib", "app")
		}},
		{"symbolic link's target changed", func(h *history) {
			h.Symlink("main.txt", "solo/link")
			h.Commit("link")
			h.Builds(everything...)
			h.Remove("solo/link")
			h.Symlink("Dockerfile", "solo/link")
			h.Commit("another target")
			h.Builds("solo")
		}},
		{"odd file names", func(h *history) {
			for _, name := range oddNames() {
				h.Write("solo/"+name, "one\n")
			}
			h.Commit("odd")
			h.Builds(everything...)
			for _, name := range oddNames() {
				h.Write("solo/"+name, "two\n")
				h.Commit("change")
			}
			h.Builds("solo")
			h.Builds()
		}},
		{"submodule bumped", func(h *history) {
			module := h.newModule()
			inside := h.AddSubmodule(module.URL(), "libs/lib/vendor")
			h.Commit("submodule")
			h.Builds(everything...)
			module.Write("part.txt", "two\n")
			module.Commit("two")
			inside.Pull("main")
			h.Commit("bump")
			h.Builds("lib", "app")
			inside.Reset("HEAD~1")
			h.Commit("back")
			h.Builds()
		}},
		{"uncommitted inside a submodule", func(h *history) {
			inside := h.AddSubmodule(h.newModule().URL(), "libs/lib/vendor")
			h.Commit("submodule")
			h.Builds(everything...)
			inside.Write("part.txt", "uncommitted\n")
			if said := h.Dirty(); !strings.Contains(said, "libs/lib/vendor") {
				h.tb.Errorf("nothing is said of the submodule:\n%s", said)
			}
			inside.Commit("committed there alone")
			h.Dirty("lib", "app")
			h.Commit("bump")
			h.Builds("lib", "app")
		}},
		{"pattern inside a submodule", func(h *history) {
			module := h.newModule()
			inside := h.AddSubmodule(module.URL(), "libs/lib/vendor")
			h.Projects["lib"].RebuildPatterns = []string{"^libs/lib/Dockerfile$", "^libs/lib/vendor/bin/"}
			h.Projects["solo"].RebuildPatterns = []string{"^solo/", `^libs/lib/vendor/bin/run$`}
			h.define()
			h.Commit("submodule")
			h.Builds(everything...)
			module.WriteMode("bin/run", "#!/bin/sh\ntrue\n", 0o755)
			module.Commit("two")
			inside.Pull("main")
			h.Commit("bump")
			h.Builds("solo", "lib", "app")
			h.Projects["lib"].Hermetic = new(bool)
			h.define()
			h.Commit("open")
			h.Builds("lib", "app")
			inside.Reset("HEAD~1")
			h.Commit("back")
			h.Builds("lib", "app")
		}},
	}
}

func oddNames() []string {
	return []string{
		"with space", "new\nline", "tab\there", `quo"te`, "quo'te", `back\slash`, "-dash", "$(touch x)", "star*",
		"[ab]", "ünï", "%2e", "#hash", "a:b", "deep er/in side.txt",
	}
}

// definitions are changes of the manifest and of what belongs to it.
func definitions() []story {
	return []story{
		{"Dockerfile outside of the project", func(h *history) {
			h.Projects["solo"].Dockerfile = "../docker/solo.Dockerfile"
			h.define()
			h.Remove("solo/Dockerfile")
			h.dockerfile("docker/solo.Dockerfile", "scratch", "solo", "")
			h.Commit("outside")
			h.Builds(everything...)
			h.dockerfile("docker/solo.Dockerfile", "scratch", "solo", "ENV A=b\n")
			h.Commit("change")
			h.Builds("solo")
		}},
		{"ignore file changed", func(h *history) {
			h.Write("solo/notes.txt", "notes\n")
			h.Write("solo/.dockerignore", "other.txt\n")
			h.Commit("notes")
			h.Builds(everything...)
			h.Write("solo/.dockerignore", "other.txt\nnotes.txt\n")
			h.Commit("ignore them")
			h.Builds("solo")
		}},
		{"build argument changed", func(h *history) {
			h.dockerfile("solo/Dockerfile", "scratch", "solo", "ARG COLOR\nLABEL color=$COLOR\n")
			h.Commit("argument")
			h.Builds(everything...)
			h.paint("red")
			h.Builds("solo")
			h.paint("blue")
			h.Builds("solo")
			h.paint("red")
			h.Builds()
		}},
		{"manifest reformatted only", func(h *history) {
			h.Builds(everything...)
			h.Write("build_manifest.json", reformatted(h.tb, h.definition))
			h.Commit("reformat")
			h.Builds()
		}},
		{"rebuild patterns widened", func(h *history) {
			h.Write("shared/part.txt", "one\n")
			h.Commit("shared")
			h.Builds(everything...)
			h.Projects["solo"].RebuildPatterns = []string{"^solo/", `^shared/.*\.txt$`}
			h.define()
			h.Commit("widen")
			h.Builds("solo")
			h.Write("shared/part.txt", "two\n")
			h.Write("shared/part.md", "two\n")
			h.Commit("change")
			h.Builds("solo")
		}},
		{"files named one by one", func(h *history) {
			h.Projects["solo"].RebuildPatterns = []string{`^solo/[a-z]+\.txt$`, `^solo/run`}
			h.define()
			h.WriteMode("solo/run", "#!/bin/sh\n", 0o755)
			h.Symlink("main.txt", "solo/link.txt")
			h.Commit("one by one")
			h.Builds(everything...)
			h.Write("solo/other.md", "not named\n")
			h.Commit("beside it")
			h.Builds()
			h.Chmod("solo/run", 0o644)
			h.Commit("chmod")
			h.Builds("solo")
			h.Remove("solo/link.txt")
			h.Symlink("run", "solo/link.txt")
			h.Commit("another target")
			h.Builds("solo")
			h.Rename("solo/main.txt", "solo/renamed.txt")
			h.Commit("rename")
			h.Builds("solo")
			h.dockerfile("solo/Dockerfile", "scratch", "solo", "ENV A=b\n")
			h.Commit("Dockerfile")
			h.Builds("solo")
		}},
		{"dependency added", func(h *history) {
			h.Builds(everything...)
			h.Projects["solo"].Dependencies = map[string][]string{"build": {"tool"}}
			h.define()
			h.dockerfile("solo/Dockerfile", "tool", "solo", "")
			h.Commit("depend")
			h.Builds("solo")
			h.change("tools/tool", "two")
			h.Builds(everything...)
		}},
		{"project added, then removed", func(h *history) {
			h.Builds(everything...)
			h.Projects["extra"] = &project{BuildDir: "extra"}
			h.define()
			h.dockerfile("extra/Dockerfile", "scratch", "extra", "")
			change := h.Commit("add")
			h.Builds("extra")
			delete(h.Projects, "extra")
			h.Revert(change)
			h.Builds()
		}},
		{"project renamed", func(h *history) {
			h.Builds(everything...)
			h.Projects["application"] = h.Projects["app"]
			delete(h.Projects, "app")
			h.define()
			h.dockerfile("services/app/Dockerfile", "lib", "application", "")
			h.Commit("rename")
			h.Builds("application")
		}},
		{"base image replaced", func(h *history) {
			h.linux()
			h.dockerfile("solo/Dockerfile", "busybox:1.36", "solo", "")
			h.Commit("on linux")
			h.Builds(everything...)
			h.BaseImages["busybox:1.36"] += ":latest"
			h.define()
			h.Commit("another")
			h.Builds("solo")
		}},
	}
}
