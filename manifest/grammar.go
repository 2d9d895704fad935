package manifest

import "regexp"

// What names and values look like, as regular expressions without anchors. The
// JSON Schema is made from these constants, too.
const (
	componentPattern = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` // OCI's
	interfacePattern = `(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})`
	platformPattern  = `[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?`
	variablePattern  = `[A-Za-z_][A-Za-z0-9_]*`
	wordPattern      = `[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*`
	branchPattern    = `[A-Za-z0-9_]([A-Za-z0-9_.+@#%=-]*[A-Za-z0-9_+@#%=-])?(/[A-Za-z0-9_]([A-Za-z0-9_.+@#%=-]*[A-Za-z0-9_+@#%=-])?)*`
	sourcePattern    = `https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]+)?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?`
	digestPattern    = `sha256:[0-9a-f]{64}`
	tagPattern       = `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
	hostPattern      = `(localhost|[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+:[0-9]+)(:[0-9]+)?`
	locationPattern  = hostPattern + `(/` + componentPattern + `)*`
	imagePattern     = componentPattern + `(/` + componentPattern + `)*(:` + tagPattern + `)?(@` + digestPattern + `)?`
	referencePattern = `(` + hostPattern + `/)?` + imagePattern
	baseImagePattern = `(` + referencePattern + `|\{registry\}/` + imagePattern + `|` + digestPattern + `)`

	dependencyPattern = componentPattern + `(@` + interfacePattern + `)?`
)

// RegistryPlaceholder begins the reference of a base image that lies where the
// projects' images do, wherever that is: "{registry}/base/busybox:1.36".
const RegistryPlaceholder = "{registry}/"

// maxName bounds a project's name; see maxLocation.
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
