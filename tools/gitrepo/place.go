package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place says where the parts of a repository are, all absolute.
type place struct {
	gitDir    string // HEAD and the index are here
	commonDir string // objects and references are here; gitDir but for linked worktrees
	workTree  string // "" when there is none
	explicit  bool   // git does not find gitDir from root by itself
}

// root is the folder that people know the repository by.
func (p place) root() string {
	if p.workTree != "" {
		return p.workTree
	}
	return p.gitDir
}

func (p place) shallow() bool {
	info, err := os.Stat(filepath.Join(p.commonDir, "shallow"))
	return err == nil && info.Size() > 0
}

// withWorkTree applies what the configuration says about the work tree.
func (p place) withWorkTree(conf settings) place {
	linked := p.gitDir != p.commonDir
	switch {
	case linked: // core.bare and core.worktree speak of the main one
	case p.workTree == "" && conf.workTree != "":
		p.workTree = checkedOut(absolute(p.gitDir, conf.workTree))
		p.explicit = p.workTree == "" // git insists on that work tree otherwise
	case conf.workTree != "" && filepath.Join(p.workTree, ".git") == p.gitDir:
		p.workTree, p.explicit = existing(absolute(p.gitDir, conf.workTree)), true
	case conf.bare:
		p.workTree = ""
	case p.workTree == "" && filepath.Base(p.gitDir) == ".git":
		p.workTree = filepath.Dir(p.gitDir)
	}
	return p
}

// discover looks for a repository in dir and the folders above it.
func discover(dir string) (place, error) {
	start, err := filepath.Abs(dir)
	if err == nil {
		start, err = filepath.EvalSymlinks(start)
	}
	if err != nil {
		return place{}, fmt.Errorf("looking for a git repository: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		p, err := placeAt(at)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		if at == filepath.Dir(at) {
			return place{}, &Fault{kind: ErrNotRepository, text: start + " is not in a git repository",
				hint: "run this inside a clone, or make a repository with git init"}
		}
	}
}

// placeAt returns the repository whose work tree or git folder is dir itself;
// fs.ErrNotExist when it is neither.
func placeAt(dir string) (place, error) {
	dotGit := filepath.Join(dir, ".git")
	info, err := os.Stat(dotGit)
	switch {
	case err == nil && !info.IsDir():
		return followFile(dir, dotGit)
	case err == nil && isGitDir(dotGit):
		return placeOf(dotGit, dir)
	case isGitDir(dir):
		return placeOf(dir, "")
	}
	return place{}, fs.ErrNotExist
}

// followFile reads a .git file, as submodules and linked worktrees have.
func followFile(dir, file string) (place, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return place{}, fmt.Errorf("reading where the repository is: %w", err)
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(content), "\r\n"), "gitdir: ")
	if !ok {
		return place{}, &Fault{kind: ErrNotRepository, text: file + " does not name a git folder", hint: "clone again"}
	}
	gitDir := absolute(dir, target)
	if !isGitDir(gitDir) {
		return place{}, &Fault{kind: ErrNotRepository, text: file + " names " + gitDir + ", which is not a git folder here",
			hint: "a submodule or linked worktree needs its main repository: mount or copy that too"}
	}
	return placeOf(gitDir, dir)
}

func placeOf(gitDir, workTree string) (place, error) {
	p := place{gitDir: gitDir, commonDir: gitDir, workTree: workTree}
	content, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return place{}, fmt.Errorf("reading where the main repository is: %w", err)
	}
	p.commonDir = absolute(gitDir, strings.TrimRight(string(content), "\r\n"))
	return p, nil
}

// isGitDir follows git's own test: HEAD, and objects and refs here or in the
// main repository.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, "commondir")); err == nil {
		return true
	}
	return existing(filepath.Join(dir, "objects")) != "" && existing(filepath.Join(dir, "refs")) != ""
}

func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// checkedOut returns dir, or "" when no work tree is there.
func checkedOut(dir string) string {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
		return ""
	}
	return dir
}

// existing returns dir, or "" when there is no such folder.
func existing(dir string) string {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}
