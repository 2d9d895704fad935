package manifest

import "regexp"

// What names and values look like, as regular expressions without anchors. The
// JSON Schema is made from these constants, too.
const (
	componentPattern = `[a-z0-9]+([._-]+[a-z0-9]+)*`
	interfacePattern = `(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})`
	platformPattern  = `[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?`
	variablePattern  = `[A-Za-z_][A-Za-z0-9_]*`
	wordPattern      = `[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*`
	branchPattern    = `[A-Za-z0-9_]([A-Za-z0-9_.+@#%=-]*[A-Za-z0-9_+@#%=-])?(/[A-Za-z0-9_]([A-Za-z0-9_.+@#%=-]*[A-Za-z0-9_+@#%=-])?)*`
	digestPattern    = `sha256:[0-9a-f]{64}`
	tagPattern       = `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
	hostPattern      = `(localhost|[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+:[0-9]+)(:[0-9]+)?`
	locationPattern  = hostPattern + `(/` + componentPattern + `)*`
	referencePattern = `(` + hostPattern + `/)?` + componentPattern + `(/` + componentPattern + `)*(:` + tagPattern + `)?(@` + digestPattern + `)?`

	dependencyPattern = componentPattern + `(@` + interfacePattern + `)?`
)

// maxName bounds a project's name: with a registry's prefix and the names that
// are put before it, it must stay under the 255 characters of a repository.
const maxName = 128

const defaultInterface = "1.0"

// grammar matches whole values against the patterns, each compiled when it is
// first needed.
type grammar map[string]*regexp.Regexp

func (g grammar) match(pattern, value string) bool {
	re := g[pattern]
	if re == nil {
		re = regexp.MustCompile(`^(?:` + pattern + `)$`)
		g[pattern] = re
	}
	return re.MatchString(value)
}
