package manifest

import "strings"

// ParseLocation checks a location that does not come from a manifest, such as a
// flag. The error says what is wrong with it, and may carry a hint.
func ParseLocation(text string) (Location, error) {
	l := Location(strings.TrimRight(text, "/"))
	r := &report{file: &sourceFile{name: "registry", src: text}}
	newChecker(r, &Manifest{}).location(path{}, l)
	if len(r.faults) > 0 {
		return "", &LocationError{Text: text, message: r.faults[0].Message, hint: r.faults[0].Hint()}
	}
	return l, nil
}

// LocationError says what is wrong with a location.
type LocationError struct{ Text, message, hint string }

func (e *LocationError) Error() string { return "registry " + excerptOf(e.Text) + ": " + e.message }

// Hint says how to write one.
func (e *LocationError) Hint() string { return e.hint }
