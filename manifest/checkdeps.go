package manifest

import "strconv"

// scope is one of a project's lists of dependencies.
type scope struct {
	name    string
	list    *[]Dependency
	isImage bool // the build sees their images
}

func (d *Dependencies) scopes() [4]scope {
	return [4]scope{
		{"build", &d.Build, true},
		{"compile", &d.Compile, true},
		{"runtime", &d.Runtime, false},
		{"test", &d.Test, false},
	}
}

func (c *checker) dependencies(p *Project) {
	for _, scope := range p.Dependencies.scopes() {
		at := path{"projects", p.Name, "dependencies", scope.name}
		c.dependencyList(at, *scope.list)
		if !scope.isImage {
			c.itself(at, p, *scope.list)
		}
	}
	c.imageArgs(p)
}

// dependencyList checks each dependency by itself. Only the legacy form may hold
// one twice; empty ones have been reported where they are not allowed.
func (c *checker) dependencyList(at path, list []Dependency) {
	seen := make(map[Dependency]bool, len(list))
	for i, d := range list {
		if d.Name == "" {
			continue
		}
		switch {
		case seen[d] && !c.legacy:
			c.at(at.to(strconv.Itoa(i)), "", "%s is there twice", excerptOf(d.String()))
		case d.Interface == "" && c.m.Projects[d.Name] == nil:
			c.at(at.to(strconv.Itoa(i)), c.suggestProject(d.Name), "there is no project %s", excerptOf(d.Name))
		case d.Interface != "" && !c.grammar.match(dependencyPattern, d.String()):
			c.at(at.to(strconv.Itoa(i)), dependencyHint, "%s is not a dependency", excerptOf(d.String()))
		}
		seen[d] = true
	}
}

const dependencyHint = `write a project of this manifest as "base", a package of a version set as "base@1.0"`

// suggestProject looks through all projects, and therefore not for every one of
// very many faults.
func (c *checker) suggestProject(name string) string {
	if len(c.faults) > shown {
		return ""
	}
	return suggest(name, c.names)
}

// itself reports a project that runs beside itself. One that is built from itself
// is a cycle like any other.
func (c *checker) itself(at path, p *Project, list []Dependency) {
	for i, d := range list {
		if d.Name == p.Name && d.Interface == "" {
			c.at(at.to(strconv.Itoa(i)), "", "%s depends on itself", excerptOf(p.Name))
		}
	}
}

// imageArgs reports dependencies that would set the same build argument.
func (c *checker) imageArgs(p *Project) {
	inputs := p.ImageInputs()
	if len(inputs) < 2 {
		return
	}
	first := make(map[string]Dependency, len(inputs))
	for _, d := range inputs {
		arg := ImageArg(d.Name)
		if other, taken := first[arg]; taken && other != d && d.Name != "" {
			c.at(c.m.edge(p.Name, d), "rename one of them", "%s and %s both set the build argument %s", other, d, arg)
			continue
		}
		first[arg] = d
	}
}
