// Package ci knows what continuous-integration systems tell the programs they
// run. It owns the names of their environment variables, and is the one place
// below cmd that environment variables are read in.
package ci

import "strings"

// Provider is a system that runs slipway, e.g. "github".
type Provider string

// The systems that are recognised. Local is a person's own machine.
const (
	CircleCI Provider = "circleci"
	GitHub   Provider = "github"
	GitLab   Provider = "gitlab"
	Generic  Provider = "generic"
	Local    Provider = "local"
)

// Event is what one run was started for. Empty fields are unknown.
type Event struct {
	Provider      Provider
	Branch        string // "feature/x"; "" for a tag
	Tag           string // "v1.2.3"
	DefaultBranch string
	Commit        string // full id
	RunURL        string // the page of this run

	// Getenv reads the environment of the run, for what is about the machine and
	// not about the event. It is the process's, or a test's.
	Getenv func(string) string
}

// Detect recognises the system from its environment, which getenv reads.
func Detect(getenv func(string) string) Event {
	e := detect(getenv)
	e.Getenv = getenv
	return e
}

func detect(getenv func(string) string) Event {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return github(getenv)
	case getenv("GITLAB_CI") != "" && getenv("CI_JOB_ID") != "":
		return gitlab(getenv)
	case getenv("CIRCLECI") == "true":
		return circleci(getenv)
	case isTrue(getenv("CI")):
		return Event{Provider: Generic}
	default:
		return Event{Provider: Local}
	}
}

func github(getenv func(string) string) Event {
	e := Event{
		Provider: GitHub,
		Branch:   getenv("GITHUB_HEAD_REF"), // set for pull requests only
		Commit:   getenv("GITHUB_SHA"),
	}
	switch getenv("GITHUB_REF_TYPE") {
	case "tag":
		e.Tag = getenv("GITHUB_REF_NAME")
	default:
		if e.Branch == "" {
			e.Branch = getenv("GITHUB_REF_NAME")
		}
	}
	if id := getenv("GITHUB_RUN_ID"); id != "" {
		e.RunURL = getenv("GITHUB_SERVER_URL") + "/" + getenv("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	return e
}

func gitlab(getenv func(string) string) Event {
	branch := getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
	if branch == "" {
		branch = getenv("CI_COMMIT_BRANCH")
	}
	return Event{
		Provider:      GitLab,
		Branch:        branch,
		Tag:           getenv("CI_COMMIT_TAG"),
		DefaultBranch: getenv("CI_DEFAULT_BRANCH"),
		Commit:        getenv("CI_COMMIT_SHA"),
		RunURL:        getenv("CI_JOB_URL"),
	}
}

func circleci(getenv func(string) string) Event {
	return Event{
		Provider: CircleCI,
		Branch:   getenv("CIRCLE_BRANCH"),
		Tag:      getenv("CIRCLE_TAG"),
		Commit:   getenv("CIRCLE_SHA1"),
		RunURL:   getenv("CIRCLE_BUILD_URL"),
	}
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "", "0", "false", "no":
		return false
	default:
		return true
	}
}
