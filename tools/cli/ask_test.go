package cli_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct {
		warn   func(context.Context, console.Streams, *gitrepo.Repo) error
		change func(*gittest.Repo)
		want   string
	}{
		"clean":                          {cli.WarnDirty, func(*gittest.Repo) {}, ""},
		"clean, with --dirty":            {cli.WarnSubmodules, func(*gittest.Repo) {}, ""},
		"one change":                     {cli.WarnDirty, func(r *gittest.Repo) { r.Write("b", "") }, "warning: uncommitted changes are not built (b); --dirty builds them\n"},
		"three changes":                  {cli.WarnDirty, func(r *gittest.Repo) { r.Write("b", ""); r.Write("c", ""); r.Write("a", "") }, "warning: uncommitted changes are not built (a and 2 more); --dirty builds them\n"},
		"changes that --dirty builds":    {cli.WarnSubmodules, func(r *gittest.Repo) { r.Write("b", "") }, ""},
		"a submodule":                    {cli.WarnSubmodules, func(r *gittest.Repo) { r.Write("libs/one/x", "") }, "warning: --dirty does not build what is not committed in submodules (libs/one)\n"},
		"two submodules":                 {cli.WarnSubmodules, func(r *gittest.Repo) { r.Write("libs/two/x", ""); r.Write("libs/one/x", "") }, "warning: --dirty does not build what is not committed in submodules (libs/one and 1 more)\n"},
		"another commit of a submodule":  {cli.WarnSubmodules, func(r *gittest.Repo) { r.Git("-C", "libs/one", "commit", "-q", "--allow-empty", "-m", "x") }, ""},
		"a bare repository":              {cli.WarnDirty, func(r *gittest.Repo) { *r = *r.Bare() }, ""},
		"a bare repository, and --dirty": {cli.WarnSubmodules, func(r *gittest.Repo) { *r = *r.Bare() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			lib, r := gittest.New(t), gittest.New(t)
			lib.Commit("lib")
			r.AddSubmodule(lib.URL(), "libs/one")
			r.AddSubmodule(lib.URL(), "libs/two")
			r.Commit("submodules")
			tt.change(r)
			repo, err := gitrepo.Open(t.Context(), gitrepo.Options{Dir: r.Dir, Env: r.Env()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = repo.Close() })
			var said bytes.Buffer
			if err := tt.warn(t.Context(), console.Streams{Err: &said, Now: time.Now}, repo); err != nil || said.String() != tt.want {
				t.Errorf("%v, said %q, want %q", err, &said, tt.want)
			}
		})
	}
}
