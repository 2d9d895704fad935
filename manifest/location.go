package manifest

import "strings"

// Location is where a group of repositories lies in a registry, e.g.
// "ghcr.io/acme". For registries whose repositories have flat names it holds
// "{name}", e.g. "docker.io/acme/mono-{name}".
type Location string

const (
	namePlaceholder = "{name}"
	flatSlash       = "--"
	maxLocation     = 120 // with a project's name it must stay under the 255 characters of a repository
)

// Repository gives the repository of a project or of records at this location:
// "web" lies at "ghcr.io/acme/web", and "slipway/commits" at
// "ghcr.io/acme/slipway/commits". Where the location holds {name}, a slash of the
// name becomes "--".
func (l Location) Repository(name string) string {
	if !strings.Contains(string(l), namePlaceholder) {
		return string(l) + "/" + name
	}
	flat := strings.ReplaceAll(name, "/", flatSlash)
	return strings.ReplaceAll(string(l), namePlaceholder, flat)
}

// ParseLocation checks a location that does not come from a manifest, such as a
// flag. Slashes at its end are left out; an empty one stays empty. The error is
// a [*LocationError].
func ParseLocation(text string) (Location, error) {
	l := Location(strings.TrimRight(text, "/"))
	if message, hint := l.problem(grammar{}); message != "" {
		return "", &LocationError{Text: text, message: message, hint: hint}
	}
	return l, nil
}

// LocationError says what is wrong with a location.
type LocationError struct{ Text, message, hint string }

func (e *LocationError) Error() string { return "registry " + excerptOf(e.Text) + ": " + e.message }

// Hint says how to write one.
func (e *LocationError) Hint() string { return e.hint }

// problem tells what is wrong with a location that is not empty, or "".
func (l Location) problem(g grammar) (message, hint string) {
	const form = "not a registry's host with a prefix"
	plain := strings.Replace(string(l), namePlaceholder, "name", 1)
	switch {
	case l == "":
		return "", ""
	case strings.Contains(plain, "://"):
		return "a registry is written without its scheme", "leave out everything up to //"
	case strings.ContainsAny(plain, "{}"):
		return form, "only " + namePlaceholder + " is replaced, and only once"
	case len(plain) > maxLocation:
		return "longer than 120 characters", "repository names end at 255 characters"
	case !g.match(locationPattern, plain):
		return form, "write the host and where to put images, as in ghcr.io/acme"
	}
	return "", ""
}
