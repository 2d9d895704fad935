package engine

import (
	"net/http"
	"regexp"
	"strconv"
)

// RefusedError says that a registry refused what BuildKit asked of it.
type RefusedError struct {
	Status int   // of HTTP, e.g. 429
	Err    error // what BuildKit said
}

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap gives BuildKit's error.
func (e *RefusedError) Unwrap() error { return e.Err }

// Temporary reports whether the same build may well succeed later.
func (e *RefusedError) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
}

// Hint says what a person can do about it, or nothing.
func (e *RefusedError) Hint() string {
	switch {
	case e.Temporary():
		return "the registry is throttling or unavailable: try again later"
	case e.Status == http.StatusUnauthorized:
		return "the registry wants credentials, or others than those it got: run `docker login` for it"
	case e.Status == http.StatusForbidden:
		return "the credentials used may not do this in that repository"
	}
	return ""
}

// final tells a refusal that the same credentials will meet again.
func (e *RefusedError) final() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// refused makes a [RefusedError] of err where a registry's refusal is in it.
func refused(err error) error {
	if exitCode(err) != 0 {
		return err // a program of the Dockerfile's ended badly, whatever its command says
	}
	if status := refusedStatus(err.Error()); status != 0 {
		return &RefusedError{Status: status, Err: err}
	}
	return err
}

// What BuildKit writes of a registry's answer: with the status, or, where a push was
// answered with an error document, with the document's codes alone.
var (
	statusText = regexp.MustCompile(`unexpected status from [A-Z]+ request to \S+: (\d{3}) `)
	codeText   = regexp.MustCompile(`failed to push \S+: (?:errors:\n)?(toomanyrequests|unavailable|unauthorized|denied|push access denied)\b`)
)

// refusedStatus reads the status with which a registry refused, or 0, from BuildKit's
// text. There is nothing else to read: the daemon has typed errors for this
// (containerd's ErrUnexpectedStatus), but sends over gRPC only their text.
func refusedStatus(text string) int {
	if m := statusText.FindStringSubmatch(text); m != nil {
		status, _ := strconv.Atoi(m[1]) // three digits
		return status
	}
	m := codeText.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	switch m[1] {
	case "toomanyrequests":
		return http.StatusTooManyRequests
	case "unavailable":
		return http.StatusServiceUnavailable
	case "denied":
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}
