package gitrepo

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
)

// absentError says that a name was answered with "there is none".
type absentError struct{ name, why string }

func (e *absentError) Error() string { return e.name + " is " + e.why }

// brokenError says that git ended when it was asked for a name.
type brokenError struct {
	name  string
	cause error
}

func (e *brokenError) Error() string { return "reading object " + e.name + ": " + e.cause.Error() }

func (e *brokenError) Unwrap() error { return e.cause }

// catFile reads objects through `git cat-file`, which is kept open: one for
// contents, one for sizes. Measured on a pack of 145,502 objects: the first
// object after 3 ms, where go-git needs 46 ms to load the index.
type catFile struct {
	git     *program
	partial bool

	turn     chan struct{} // holds one token: whoever has it uses what follows
	contents *batch
	infos    *batch
	stores   []string
}

func newCatFile(git *program, conf settings) *catFile {
	c := &catFile{git: git, partial: conf.promisor != "", turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

func (c *catFile) read(ctx context.Context, names []string, visit func(int, object) error) error {
	return c.ask(ctx, &c.contents, "--batch", names, visit)
}

func (c *catFile) sizes(ctx context.Context, names []string, visit func(int, object) error) error {
	return c.ask(ctx, &c.infos, "--batch-check", names, visit)
}

// ask waits for its turn and asks one of the two programs, which it starts
// when needed and ends when the conversation broke.
func (c *catFile) ask(ctx context.Context, at **batch, mode string, names []string, visit func(int, object) error) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.release()
	if *at == nil {
		b, err := c.start(mode)
		if err != nil {
			return err
		}
		*at = b
	}
	b := *at
	stop := context.AfterFunc(ctx, b.kill)
	broken, err := b.ask(names, visit)
	if killed := !stop(); killed || broken {
		*at = nil
		b.kill()
		err = c.brokenBy(err, b.end())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// brokenBy puts git's own complaint in the place of what was seen of it.
func (c *catFile) brokenBy(seen, complaint error) error {
	var broken *brokenError
	if complaint == nil || !errors.As(seen, &broken) {
		return seen
	}
	return &brokenError{broken.name, explain(complaint, c.git.dir)}
}

func (c *catFile) take(ctx context.Context) error {
	select {
	case <-c.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *catFile) release() { c.turn <- struct{}{} }

// resolve asks for the object and, if that is a tag, for what it tags: a
// suffix would become part of a search such as ":/text". A revision never is
// an argument here, so it cannot be taken for an option.
func (c *catFile) resolve(ctx context.Context, rev string) (found object, err error) {
	keep := func(_ int, o object) error {
		found = o
		return nil
	}
	err = c.read(ctx, []string{rev}, keep)
	if err == nil && found.kind == kindTag {
		err = c.read(ctx, []string{string(found.id) + "^{commit}"}, keep)
	}
	if err == nil && found.kind != kindCommit {
		err = &absentError{rev, "a " + string(found.kind)}
	}
	return found, err
}

// has lists the objects of a partial clone, because asking for a single one
// makes most versions of git fetch it.
func (c *catFile) has(ctx context.Context, id ObjectID) (bool, error) {
	if c.partial {
		all, err := c.git.local(ctx)
		return all[id], err
	}
	err := c.sizes(ctx, []string{string(id)}, func(int, object) error { return nil })
	var absent *absentError
	if errors.As(err, &absent) {
		return false, nil
	}
	return err == nil, err
}

func (c *catFile) refs(ctx context.Context, names ...string) (map[string]string, error) {
	out, err := c.git.output(ctx, append([]string{"for-each-ref", "--format=%(refname) %(symref) %(objectname)", "--"}, names...)...)
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) != 3 || !slices.Contains(names, f[0]) {
			continue
		}
		if found[f[0]] = f[2]; f[1] != "" {
			found[f[0]] = f[1]
		}
	}
	return found, err
}

// extend ends the programs that are open: they would not see the new folder.
func (c *catFile) extend(dir string) {
	<-c.turn
	defer c.release()
	c.stores = append(c.stores, dir)
	_ = c.endAll() // their answers were all read
}

func (c *catFile) close() error {
	<-c.turn
	defer c.release()
	return c.endAll()
}

func (c *catFile) endAll() error {
	var errs []error
	for _, at := range []**batch{&c.contents, &c.infos} {
		if *at != nil {
			errs = append(errs, (*at).end())
			*at = nil
		}
	}
	return errors.Join(errs...)
}

func (c *catFile) start(mode string) (*batch, error) {
	cmd := c.git.command("cat-file", mode)
	if len(c.stores) > 0 {
		cmd.Env = append(slices.Clip(cmd.Env), alternates(c.stores...))
	}
	return startBatch(cmd, mode == "--batch")
}

// alternates is the variable that makes object folders readable. Git wants a
// path that holds its separator quoted.
func alternates(dirs ...string) string {
	quoted := make([]string, len(dirs))
	for i, dir := range dirs {
		if quoted[i] = dir; strings.ContainsAny(dir, ":\"\n") {
			quoted[i] = strconv.Quote(dir)
		}
	}
	return "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + strings.Join(quoted, string(os.PathListSeparator))
}
