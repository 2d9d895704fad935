package gitrepo

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/tools/internal/proc"
)

// program runs the git program in one repository.
type program struct {
	path string
	dir  string
	env  []string
}

// newProgram finds git on env's PATH; nil when there is none.
func newProgram(env []string, p place) *program {
	path := findGit(env)
	if path == "" {
		return nil
	}
	g := &program{path: path, dir: p.root(), env: programEnv(env)}
	if p.explicit {
		g.env = append(g.env, "GIT_DIR="+p.gitDir, "GIT_WORK_TREE="+p.root())
	}
	return g
}

func findGit(env []string) string {
	for _, kv := range slices.Backward(env) { // the last one counts
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			if file := filepath.Join(dir, "git"); filepath.IsAbs(file) && isProgram(file) {
				return file
			}
		}
		return ""
	}
	return ""
}

func isProgram(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// programEnv returns env without what would lead git away from the repository
// it is started in, as hooks and wrappers set it, and with what makes it quiet,
// stable and harmless. Configuration passed by environment stays: CI systems
// hand over credentials that way.
func programEnv(env []string) []string {
	away := []string{
		"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_INDEX_VERSION",
		"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_PREFIX",
		"GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_CONFIG", "GIT_INTERNAL_SUPER_PREFIX",
		"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
		"GIT_ATTR_SOURCE", "GIT_DEFAULT_HASH", "GIT_NO_LAZY_FETCH", "GIT_CEILING_DIRECTORIES", "PWD",
	}
	kept := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(away, name)
	})
	return append(kept, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C", "LANGUAGE=C")
}

func (g *program) command(args ...string) proc.Cmd {
	return proc.Cmd{Args: append([]string{g.path}, args...), Dir: g.dir, Env: g.env}
}

// output runs git to its end and returns what it printed.
func (g *program) output(ctx context.Context, args ...string) ([]byte, error) {
	out, err := g.command(args...).Output(ctx)
	return out, explain(err, g.dir)
}

// line is output without its last newline.
func (g *program) line(ctx context.Context, args ...string) (string, error) {
	out, err := g.output(ctx, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}
