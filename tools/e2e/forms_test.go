package e2e

// forms are histories of manifests that are written in other ways.
func forms() []story {
	return []story{
		{"YAML manifest", func(h *history) {
			h.inYAML()
			h.Commit("YAML")
			h.Builds(everything...)
			h.paint("red")
			h.Builds("solo")
			h.yaml = false
			h.Remove(yamlManifest)
			h.define()
			h.Commit("JSON")
			h.Builds()
		}},
		{"legacy manifest", func(h *history) {
			h.inLegacyForm()
			h.Commit("legacy")
			h.Builds(everything...)
			h.Write("libs/lib/notes.txt", "one\n")
			h.Commit("beside the patterns")
			h.Builds()
			h.change("libs/lib", "two")
			h.Builds("lib", "app")
			h.Write("libs/lib/patterns.txt", "# all\n^libs/lib/\n")
			h.Commit("wider patterns")
			h.Builds("lib", "app")
			h.Write("libs/lib/notes.txt", "two\n")
			h.Commit("now among the patterns")
			h.Builds("lib", "app")
			h.WriteMode("libs/lib/dependencies.sh", "#!/bin/sh\necho solo\n", 0o755)
			h.dockerfile("libs/lib/Dockerfile", "solo", "lib", "")
			h.Commit("another dependency")
			h.Builds("lib", "app")
			h.change("tools/tool", "two")
			h.change("solo", "two")
			h.Builds("app", "lib", "solo")
		}},
		{"legacy manifest in YAML", func(h *history) {
			h.inLegacyForm()
			h.inYAML()
			h.Commit("legacy")
			h.Builds(everything...)
			h.dockerfile("tools/tool/Dockerfile", "scratch", "tool", "ENV A=b\n")
			h.Commit("change")
			h.Builds("tool", "lib", "app")
			other := h.elsewhere()
			h.BuildsOn(other)
		}},
		{"legacy manifest becomes the new form", func(h *history) {
			h.legacy = map[string]*legacyProject{}
			for name, p := range h.Projects {
				h.legacy[name] = &legacyProject{BuildDir: p.BuildDir, Dependencies: p.inputs()}
				p.Hermetic = new(bool)
			}
			h.define()
			h.Commit("legacy")
			h.Builds(everything...)
			h.legacy = nil
			h.define()
			h.Commit("new form, as open as before")
			h.Builds()
			h.Projects["lib"].Hermetic = nil
			h.define()
			h.Commit("hermetic")
			h.Builds("lib", "app")
		}},
		{"uncommitted below what no pattern names, then discarded", func(h *history) {
			h.inLegacyForm()
			h.Write("tools/tool/extra.txt", "one\n")
			h.Commit("legacy")
			h.Write("tools/tool/extra.txt", "uncommitted\n")
			h.Dirty(everything...)
			h.Reset("HEAD")
			h.Builds("tool", "lib", "app")
			h.Write("tools/tool/extra.txt", "uncommitted\n")
			h.Dirty("tool", "lib", "app")
			h.Reset("HEAD")
			h.Builds()
		}},
	}
}

// inYAML writes the manifest as YAML.
func (h *history) inYAML() {
	h.tb.Helper()
	h.yaml = true
	h.Remove(jsonManifest)
	h.define()
}

// inLegacyForm writes the four projects as manifests once had them: tool with
// patterns that leave out most of its folder, lib with patterns and dependencies
// in files and a context around its own folder, app from an image by its full
// name, and one whose folder is gone.
func (h *history) inLegacyForm() {
	h.tb.Helper()
	h.legacy = map[string]*legacyProject{
		"tool": {BuildDir: "tools/tool", RebuildPatterns: []string{"^tools/tool/Dockerfile"}},
		"lib":  {BuildDir: "libs", ProjectDir: "libs/lib", RebuildPatterns: "patterns.txt", Dependencies: "dependencies.sh"},
		"app":  {BuildDir: "services/app", Dependencies: []string{"lib", ""}},
		"solo": {BuildDir: "solo"},
		"gone": {BuildDir: "gone"},
	}
	h.Write("libs/lib/patterns.txt", "^libs/lib/Dockerfile\n# not the notes\n\n^libs/lib/main\n")
	h.WriteMode("libs/lib/dependencies.sh", "#!/bin/sh\necho tool\n", 0o755)
	h.dockerfile("services/app/Dockerfile", h.registry+"/lib", "app", "")
	h.define()
}
