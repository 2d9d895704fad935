package ci_test

import (
	"reflect"
	"testing"

	"slipway/tools/ci"
)

func TestDetect(t *testing.T) {
	for name, tt := range map[string]struct {
		env  map[string]string
		want ci.Event
	}{
		"laptop":               {nil, ci.Event{Provider: ci.Local}},
		"generic":              {map[string]string{"CI": "1"}, ci.Event{Provider: ci.Generic}},
		"CI=false is a laptop": {map[string]string{"CI": "false"}, ci.Event{Provider: ci.Local}},
		"github push": {
			map[string]string{
				"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "abc",
				"GITHUB_RUN_ID": "7", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/mono",
			},
			ci.Event{Provider: ci.GitHub, Branch: "main", Commit: "abc", RunURL: "https://github.com/acme/mono/actions/runs/7"},
		},
		"github pull request": {
			map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "feature/x"},
			ci.Event{Provider: ci.GitHub, Branch: "feature/x"},
		},
		"github tag": {
			map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.2.3"},
			ci.Event{Provider: ci.GitHub, Tag: "v1.2.3"},
		},
		"gitlab": {
			map[string]string{
				"GITLAB_CI": "true", "CI_JOB_ID": "1", "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main",
				"CI_COMMIT_SHA": "abc", "CI_JOB_URL": "https://gitlab.example/j/1",
			},
			ci.Event{Provider: ci.GitLab, Branch: "main", DefaultBranch: "main", Commit: "abc", RunURL: "https://gitlab.example/j/1"},
		},
		"gitlab merge request": {
			map[string]string{"GITLAB_CI": "true", "CI_JOB_ID": "1", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic"},
			ci.Event{Provider: ci.GitLab, Branch: "topic"},
		},
		"gitlab-ci-local says false": {
			map[string]string{"GITLAB_CI": "false", "CI_JOB_ID": "1", "CI_COMMIT_BRANCH": "main"},
			ci.Event{Provider: ci.GitLab, Branch: "main"},
		},
		"circleci": {
			map[string]string{"CIRCLECI": "true", "CIRCLE_BRANCH": "main", "CIRCLE_SHA1": "abc", "CIRCLE_BUILD_URL": "https://circleci.example/1"},
			ci.Event{Provider: ci.CircleCI, Branch: "main", Commit: "abc", RunURL: "https://circleci.example/1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ci.Detect(func(k string) string { return tt.env[k] })
			if got.Getenv == nil {
				t.Error("Detect() leaves Getenv out")
			}
			got.Getenv = nil
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Detect() = %+v\nwant       %+v", got, tt.want)
			}
		})
	}
}
