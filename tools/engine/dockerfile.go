package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// BaseImages lists the images that a Dockerfile takes from outside, as it writes
// them, each once, in the order of the file: those of FROM, COPY --from and
// RUN --mount=from that are neither one of its own stages nor scratch. dynamic
// says that some reference holds a variable; such are not in refs.
func BaseImages(dockerfile []byte) (refs []string, dynamic bool, err error) {
	stages, err := parseDockerfile(dockerfile)
	if err != nil {
		return nil, false, err
	}
	for i, stage := range stages {
		for n, ref := range stageReferences(stage) {
			known := stages // COPY and RUN see every stage, FROM those before it
			if n == 0 {
				known = stages[:i]
			}
			switch {
			case strings.Contains(ref, "$"):
				dynamic = true
			case ref != "scratch" && !isStage(known, ref) && !slices.Contains(refs, ref):
				refs = append(refs, ref)
			}
		}
	}
	return refs, dynamic, nil
}

func isStage(stages []instructions.Stage, ref string) bool {
	if n, err := strconv.Atoi(ref); err == nil {
		return n >= 0 && n < len(stages)
	}
	return slices.ContainsFunc(stages, func(s instructions.Stage) bool { return strings.EqualFold(s.Name, ref) })
}

// parseDockerfile reads the stages; it expands no variables.
func parseDockerfile(b []byte) ([]instructions.Stage, error) {
	tree, err := parser.Parse(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("parsing the Dockerfile: %w", err)
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("parsing the Dockerfile: %w", err)
	}
	return stages, nil
}

// stageReferences lists what a stage takes from elsewhere, FROM first. They may
// be stages, by name or number, images, or hold variables.
func stageReferences(stage instructions.Stage) []string {
	refs := []string{stage.BaseName}
	for _, cmd := range stage.Commands {
		switch c := cmd.(type) {
		case *instructions.CopyCommand:
			refs = append(refs, c.From)
		case *instructions.RunCommand:
			for _, m := range instructions.GetMounts(c) {
				refs = append(refs, m.From)
			}
		}
	}
	return slices.DeleteFunc(refs, func(s string) bool { return s == "" })
}
