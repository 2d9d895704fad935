package manifest

import (
	"slices"
	"strconv"
	"strings"
)

const maxRetries = 10

func (c *checker) jobs(p *Project) {
	if len(p.Jobs) == 0 {
		return
	}
	for name, job := range p.Jobs {
		at := path{"projects", p.Name, "jobs", name}
		job.Name = name
		if !c.grammar.match(wordPattern, name) || len(name) > maxName {
			c.atKey(at, "use letters and digits, with . _ - between them", "%s cannot be the name of a job", excerptOf(name))
		}
		job.complete()
		if !c.isSpoilt(at, "kind", "command", "file") {
			c.whatRuns(at, p, job)
		}
		if job.Retries < 0 || job.Retries > maxRetries {
			c.at(at.to("retries"), "", "retries must be from 0 to %d, not %d", maxRetries, job.Retries)
		}
		c.dependencyList(at.to("dependencies"), job.Dependencies)
		c.needs(at, p, job)
	}
	c.needCycles(p)
}

func (j *Job) complete() {
	if j.Kind == "" {
		j.Kind = Script
	}
	if j.Stage == "" {
		j.Stage = Acceptance
	}
}

// whatRuns checks command and file, which mean something else for each kind.
func (c *checker) whatRuns(at path, p *Project, j *Job) {
	switch {
	case j.Command != nil && (len(j.Command) == 0 || j.Command[0] == ""):
		c.at(at.to("command"), "", "an empty command")
	case j.Kind == Script && !c.legacy && (j.Command == nil) == (j.File == ""):
		c.at(at, "", "a job of kind script has exactly one of command and file")
	case j.Kind == Container && j.File != "":
		c.at(at.to("file"), "a container runs its command, or what its image says", "a job of kind container has no file")
	case j.Kind == Compose && j.File == "":
		c.at(at, `add "file", the compose file`, "a job of kind compose has a file")
	case j.Kind == Compose && j.Command != nil:
		c.at(at.to("command"), "the compose file says what runs", "a job of kind compose has no command")
	}
	if j.File != "" {
		j.File = c.inside(at.to("file"), p.ProjectDir, j.File)
	}
}

func (c *checker) needs(at path, p *Project, j *Job) {
	for i, name := range j.Needs {
		here := at.to("needs", strconv.Itoa(i))
		needed := p.Jobs[name]
		switch {
		case needed == nil:
			c.at(here, suggest(name, sortedKeys(p.Jobs)), "there is no job %s in %s", excerptOf(name), excerptOf(p.Name))
		case slices.Contains(j.Needs[:i], name):
			c.at(here, "", "%s is there twice", excerptOf(name))
		case j.Stage == Acceptance && needed.Stage == Full:
			c.at(here, "", "an acceptance job cannot wait for %s, which is of the stage full", excerptOf(name))
		}
	}
}

func (c *checker) needCycles(p *Project) {
	needs := func(job string) []string {
		return slices.DeleteFunc(slices.Clone(p.Jobs[job].Needs), func(n string) bool { return p.Jobs[n] == nil })
	}
	sortByNeed(sortedKeys(p.Jobs), needs, func(cycle []string) {
		last := cycle[len(cycle)-1]
		i := slices.Index(p.Jobs[last].Needs, cycle[0])
		c.at(path{"projects", p.Name, "jobs", last, "needs", strconv.Itoa(i)}, "",
			"jobs wait for each other: %s", strings.Join(append(cycle, cycle[0]), " -> "))
	})
}
