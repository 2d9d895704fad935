package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBaseImages(t *testing.T) {
	tests := []struct {
		name, dockerfile string
		refs             []string
		dynamic          bool
	}{
		{"one", "FROM debian:12\n", []string{"debian:12"}, false},
		{"scratch", "FROM scratch\nCOPY a /a\n", nil, false},
		{"stages", "FROM golang AS Build\nFROM build\nCOPY --from=build /a /a\nCOPY --from=0 /b /b\n", []string{"golang"}, false},
		{"copy", "FROM scratch\nCOPY --from=r.io:5000/x/tool:1 /t /t\n", []string{"r.io:5000/x/tool:1"}, false},
		{"mount", "FROM a\nRUN --mount=from=tools,target=/t --mount=type=cache,target=/c make\n", []string{"a", "tools"}, false},
		{"later stage", "FROM a\nCOPY --from=late /x /x\nFROM b AS late\n", []string{"a", "b"}, false},
		{"FROM does not look ahead", "FROM late\nFROM b AS late\n", []string{"late", "b"}, false},
		{"once", "FROM a\nFROM a\nCOPY --from=a /x /x\n", []string{"a"}, false},
		{"variable", "ARG B=debian\nFROM $B\nCOPY --from=c /x /x\n", []string{"c"}, true},
		{"variable in the platform", "FROM --platform=$BUILDPLATFORM a\n", []string{"a"}, false},
		{"digest", "FROM a@sha256:0123456789012345678901234567890123456789012345678901234567890123\n",
			[]string{"a@sha256:0123456789012345678901234567890123456789012345678901234567890123"}, false},
		{"heredoc", "FROM a\nRUN <<E\nFROM b\nE\n", []string{"a"}, false},
		{"number without stage", "FROM a\nCOPY --from=7 /x /x\n", []string{"a", "7"}, false},
		{"syntax line", "# syntax=docker/dockerfile:1\nFROM a\n", []string{"a"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refs, dynamic, err := BaseImages([]byte(tt.dockerfile))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.refs, refs); d != "" || dynamic != tt.dynamic {
				t.Errorf("dynamic = %v, refs:\n%s", dynamic, d)
			}
		})
	}
	for _, bad := range []string{"", "RUN x\n", "FROM\n", "FROM a\nNOSUCH\n"} {
		if refs, _, err := BaseImages([]byte(bad)); err == nil {
			t.Errorf("%q: no error, refs %v", bad, refs)
		}
	}
}

func FuzzBaseImages(f *testing.F) {
	f.Add([]byte("FROM a AS b\nCOPY --from=b x y\nRUN --mount=from=c,target=/x y\n"))
	f.Add([]byte("ARG X\nFROM $X\nRUN <<E\nx\nE\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		refs, _, err := BaseImages(b)
		if err != nil && refs != nil {
			t.Errorf("refs %q with error %v", refs, err)
		}
		for _, ref := range refs {
			if ref == "" || ref == "scratch" {
				t.Errorf("reference %q", ref)
			}
		}
	})
}

func TestNamedContexts(t *testing.T) {
	tests := []struct {
		name, dockerfile string
		contexts         map[string]string
		want             map[string]string
		wantErr          bool
	}{
		{"plain", "FROM base\n", map[string]string{"base": "r/b@x"}, map[string]string{"context:base": "docker-image://r/b@x"}, false},
		{"tag", "FROM debian:12\n", map[string]string{"debian:12": "r/d"}, map[string]string{"context:debian:12": "docker-image://r/d"}, false},
		{"long form", "FROM debian:12\n", map[string]string{"docker.io/library/debian:12": "r/d"}, map[string]string{"context:debian:12": "docker-image://r/d"}, false},
		{"latest", "FROM debian\n", map[string]string{"debian:latest": "r/d"}, map[string]string{"context:debian": "docker-image://r/d"}, false},
		{"registry", "FROM r:5000/x/base\n", map[string]string{"r:5000/x/base": "r/d"}, map[string]string{"context:r:5000/x/base": "docker-image://r/d"}, false},
		{"same twice", "FROM a\n", map[string]string{"a": "r/d", "a:latest": "r/d"}, map[string]string{"context:a": "docker-image://r/d"}, false},
		{"two images", "FROM a\n", map[string]string{"a": "r/d", "a:latest": "r/e"}, nil, true},
		{"stage of that name", "FROM x AS base\nRUN y\n", map[string]string{"base": "r/b"}, map[string]string{}, false},
		{"stage from its own name", "FROM base AS base\nRUN y\n", map[string]string{"base": "r/b"}, nil, true},
		{"stage after use", "FROM x\nCOPY --from=base /a /a\nFROM y AS base\n", map[string]string{"base": "r/b"}, nil, true},
		{"no reference", "FROM x\n", map[string]string{"Not A Name": "r/b"}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stages, err := parseDockerfile([]byte(tt.dockerfile))
			if err != nil {
				t.Fatal(err)
			}
			got, err := namedContexts(tt.contexts, findStages(stages))
			if (err != nil) != tt.wantErr {
				t.Fatalf("error = %v", err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBuiltinSyntax(t *testing.T) {
	tests := map[string]bool{
		"FROM a\n":                                           false,
		"# syntax=docker/dockerfile:1\nFROM a\n":             true,
		"# syntax=docker/dockerfile:1.7\nFROM a\n":           true,
		"# syntax=docker.io/docker/dockerfile\nFROM a\n":     true,
		"# syntax=docker/dockerfile:1-labs\nFROM a\n":        false,
		"# syntax=docker/dockerfile-upstream:1\nFROM a\n":    false,
		"# syntax=r.io/docker/dockerfile:1\nFROM a\n":        false,
		"# syntax=docker/dockerfile@sha256:ab\nFROM a\n":     false,
		"FROM a\n# syntax=docker/dockerfile:1\n":             false,
		"# syntax = docker/dockerfile:1 something\nFROM a\n": true,
	}
	for in, want := range tests {
		if got := builtinSyntax([]byte(in)); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
