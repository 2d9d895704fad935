package e2e

import (
	"net/http"
	"strings"
)

// teams are histories of several branches.
func teams() []story {
	return []story{
		{"squash merge", func(h *history) {
			h.Builds(everything...)
			h.Branch("feature")
			h.change("services/app", "two")
			h.Builds("app")
			h.change("services/app", "three")
			h.Builds("app")
			h.Checkout("main")
			h.Squash("feature", "squashed")
			h.Builds()
		}},
		{"merge commit", func(h *history) {
			h.Builds(everything...)
			h.Branch("feature")
			h.change("services/app", "two")
			h.Builds("app")
			h.Checkout("main")
			h.change("solo", "two")
			h.Builds("solo")
			h.Merge("feature")
			h.Builds()
		}},
		{"merge of two changes of one project", func(h *history) {
			h.Builds(everything...)
			h.Branch("feature")
			h.Write("solo/feature.txt", "feature\n")
			h.Commit("feature")
			h.Builds("solo")
			h.Checkout("main")
			h.change("solo", "two")
			h.Builds("solo")
			h.Merge("feature")
			h.Builds("solo")
		}},
		{"rebase", func(h *history) {
			h.Builds(everything...)
			h.Branch("feature")
			h.change("services/app", "two")
			h.Builds("app")
			h.Checkout("main")
			h.change("solo", "two")
			h.Builds("solo")
			h.Checkout("feature")
			h.Rebase("main")
			h.Builds()
		}},
		{"force push", func(h *history) {
			h.Builds(everything...)
			origin := h.Bare()
			h.Git("remote", "add", "origin", origin.URL())
			h.change("services/app", "two")
			h.Push("main")
			other := h.checkout(origin.Clone())
			h.BuildsOn(other, "app")
			h.Write("services/app/main.txt", "three\n")
			h.Amend("another two")
			h.ForcePush("main")
			other.Pull("main")
			h.BuildsOn(other, "app")
			h.Builds()
		}},
		{"commit message amended", func(h *history) {
			h.Builds(everything...)
			h.Amend("in other words")
			h.Builds()
		}},
		{"new branch falls back to the default branch", func(h *history) {
			h.Builds(everything...)
			other := h.elsewhere()
			other.Branch("feature/x")
			h.reasoned(other, "recorded on "+h.Head()[:8]) // by main's hint: the branch has none yet
			other.Write("solo/main.txt", "two\n")
			other.Commit("feature")
			h.BuildsOn(other, "solo")
		}},
		{"detached head", func(h *history) {
			h.Builds(everything...)
			h.change("solo", "two")
			h.Checkout(h.Head())
			h.Builds("solo")
			h.Checkout("main")
			h.Builds()
		}},
		{"uncommitted, then committed", func(h *history) {
			h.Builds(everything...)
			h.Write("solo/main.txt", "two\n")
			h.Write("solo/untracked.txt", "new\n")
			h.Dirty("solo")
			h.Builds()
			h.Commit("commit it")
			h.Builds("solo")
			h.Builds()
		}},
	}
}

// machines are histories of several checkouts.
func machines() []story {
	clone := func(args ...string) func(*history) {
		return func(h *history) {
			h.Builds(everything...)
			h.change("solo", "two")
			other := h.elsewhere(args...)
			h.BuildsOn(other, "solo")
			h.BuildsOn(other)
			h.Builds()
		}
	}
	return []story{
		{"second clone and second daemon", clone()},
		{"shallow clone", clone("--depth=1")},
		{"blobless clone", clone("--filter=blob:none")},
		{"treeless clone", clone("--filter=tree:0")},
		{"linked work tree", func(h *history) {
			h.Builds(everything...)
			h.change("solo", "two")
			linked := h.checkout(h.Worktree("HEAD"))
			h.BuildsOn(linked, "solo")
			h.Builds()
		}},
		{"clone with submodules", func(h *history) {
			h.AddSubmodule(h.newModule().URL(), "libs/lib/vendor")
			h.Commit("submodule")
			h.Builds(everything...)
			other := h.elsewhere("--recurse-submodules")
			h.BuildsOn(other)
			other.Write("libs/lib/main.txt", "two\n")
			other.Commit("change")
			h.BuildsOn(other, "lib", "app")
		}},
		{"two builders of the same content", func(h *history) {
			h.Builds(everything...)
			h.gated()
			h.Commit("gate")
			other := h.elsewhere()
			h.race(other, "solo")
			h.Builds()
			h.BuildsOn(other)
		}},
	}
}

// accidents are histories in which something goes wrong.
func accidents() []story {
	return []story{
		{"failed build, then an unrelated commit", func(h *history) {
			h.Builds(everything...)
			h.gated()
			h.Commit("fails")
			h.Fails("solo")
			h.Write("README.md", "two\n")
			h.Commit("unrelated")
			h.BuildsWhile(http.StatusOK, "solo")
			h.Builds()
		}},
		{"failed build, then a fix", func(h *history) {
			h.gated()
			h.Commit("fails")
			h.Fails("solo", "app", "lib", "tool")
			h.dockerfile("solo/Dockerfile", "scratch", "solo", "")
			h.Commit("fix")
			h.Builds("solo")
		}},
		{"failed build, then a revert", func(h *history) {
			h.Builds(everything...)
			h.gated()
			change := h.Commit("fails")
			h.Fails("solo")
			h.Revert(change)
			h.Builds()
		}},
		{"failed build that stops another", func(h *history) {
			h.Builds(everything...)
			h.gated()
			other := newGate(h.tb)
			h.Projects["extra"] = &project{BuildDir: "extra"}
			h.define()
			h.dockerfile("extra/Dockerfile", "busybox:1.36", "extra", other.run())
			h.Commit("fails")
			h.failsBeside(other, "solo", "extra")
			p := h.build()
			h.gate.pass(h.tb, http.StatusOK)
			other.pass(h.tb, http.StatusOK)
			h.finishes(h.machine, p, []string{"extra", "solo"})
		}},
		{"killed while building", func(h *history) {
			h.Builds(everything...)
			h.gated()
			h.Commit("killed")
			h.stopped((*process).kill, -1)
			h.BuildsWhile(http.StatusOK, "solo")
			h.Builds()
		}},
		{"interrupted while building", func(h *history) {
			h.Builds(everything...)
			h.gated()
			h.Commit("interrupted")
			h.stopped((*process).interrupt, interruptedCode)
			h.BuildsWhile(http.StatusOK, "solo")
			h.Builds()
		}},
		{"branch hint deleted", func(h *history) {
			h.Builds(everything...)
			h.change("solo", "two")
			h.deleteHint()
			h.Builds("solo")
		}},
		{"branch hint overwritten by junk", func(h *history) {
			h.Builds(everything...)
			h.put("slipway/commits", "branch-main", junk)
			h.Builds()
			h.change("solo", "two")
			h.put("slipway/commits", "branch-main", junk)
			h.Builds("solo")
			h.Builds()
		}},
		{"branch hint of another commit", func(h *history) {
			h.Builds(everything...)
			first := h.hint()
			h.change("libs/lib", "two")
			h.Builds("lib", "app")
			h.put("slipway/commits", "branch-main", first)
			h.Builds()
		}},
		{"build cache overwritten by junk", func(h *history) {
			h.Builds(everything...)
			h.put("solo", "buildcache-main", junk)
			h.change("solo", "two")
			h.Builds("solo")
		}},
		{"image deleted that a dependent needs", func(h *history) {
			h.Builds(everything...)
			h.deleteImage("lib")
			h.change("services/app", "two")
			h.Builds("app", "lib")
		}},
		{"image deleted, and no hint", func(h *history) {
			h.Builds(everything...)
			h.deleteImage("solo")
			h.put("slipway/commits", "branch-main", junk)
			h.Builds("solo")
		}},
		{"image deleted that is named, with a hint", func(h *history) {
			h.Builds(everything...)
			h.deleteImage("solo")
			h.BuildsAs([]string{"solo"}, "solo")
			h.deleteImage("tool")
			h.BuildsAs([]string{"app"})
			h.BuildsAs([]string{"tool", "solo"}, "tool")
			h.Builds()
		}},
		{"image deleted, and --verify", func(h *history) {
			h.Builds(everything...)
			h.deleteImage("solo")
			h.deleteImage("tool")
			h.verifies("solo", "tool")
			h.BuildsAs([]string{"--all", "--verify"}, "solo", "tool")
			h.Builds()
		}},
		{"image deleted, then an unrelated commit", func(h *history) {
			h.Builds(everything...)
			h.deleteImage("lib")
			h.Write("README.md", "two\n")
			h.Commit("unrelated")
			h.Builds("lib")
			h.Builds()
		}},
	}
}

// prefixOf is a story's corner of the registry.
func prefixOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}
