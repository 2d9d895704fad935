package engine

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// contextKey is the name under which the Dockerfile frontend looks for a named
// context when a Dockerfile says name: "debian" for "docker.io/library/debian:latest".
func contextKey(name string) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", fmt.Errorf("named context %q: %w", name, err)
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest"), nil
}

// namedContexts returns the frontend's attributes for contexts. A stage hides a
// named context of its own name, as it hides an image; the frontend would do the
// opposite and drop the stage.
func namedContexts(contexts map[string]string, stages stageNames) (map[string]string, error) {
	attrs := map[string]string{}
	for name, ref := range contexts {
		key, err := contextKey(name)
		if err != nil {
			return nil, err
		}
		if stages.usedBefore[key] {
			return nil, fmt.Errorf("stage %q has the name of the image that it, or a stage before it, is made from: give the stage another name", key)
		}
		if stages.defined[key] {
			continue
		}
		value := "docker-image://" + ref
		if old, ok := attrs["context:"+key]; ok && old != value {
			return nil, fmt.Errorf("named context %q is given two images: %s and %s", key, strings.TrimPrefix(old, "docker-image://"), ref)
		}
		attrs["context:"+key] = value
	}
	return attrs, nil
}

// stageNames says which names a Dockerfile gives to its stages, and which of
// these it used as an image before it did so.
type stageNames struct{ defined, usedBefore map[string]bool }

func findStages(stages []instructions.Stage) stageNames {
	s := stageNames{map[string]bool{}, map[string]bool{}}
	used := map[string]bool{}
	for _, stage := range stages {
		for _, ref := range stageReferences(stage) {
			if key, err := contextKey(ref); err == nil && !s.defined[key] {
				used[key] = true
			}
		}
		if name := strings.ToLower(stage.Name); name != "" {
			s.defined[name] = true
			s.usedBefore[name] = s.usedBefore[name] || used[name]
		}
	}
	return s
}
