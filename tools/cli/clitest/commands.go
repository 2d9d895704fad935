package clitest

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"slipway/tools/internal/testkit/regtest"
)

type stateKey struct{}

// state is what the commands of one script share.
type state struct {
	registry *regtest.Registry
	schemas  string        // folder
	arrived  chan struct{} // a request is held
	stopped  *exec.Cmd     // was interrupted
}

func stateOf(ts *testscript.TestScript) *state {
	s, ok := ts.Value(stateKey{}).(*state)
	if !ok {
		ts.Fatalf("the script has no state")
	}
	return s
}

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

// commands are what scripts can do beside testscript's own commands and
// the program.
func commands() map[string]scriptCommand {
	return map[string]scriptCommand{
		"code":      wantArgs(2, code),
		"commit":    wantArgs(1, commit),
		"push":      wantArgs(1, push),
		"built":     wantArgs(0, built),
		"fault":     wantArgs(3, fault),
		"hold":      wantArgs(0, hold),
		"interrupt": wantArgs(0, interrupt),
		"ended":     wantArgs(1, ended),
		"forget":    wantArgs(0, forget),
		"requests":  wantArgs(1, requests),
		"unwritten": wantArgs(0, unwritten),
		"valid":     wantArgs(2, valid),
		"spread":    wantArgs(2, spread),
	}
}

func wantArgs(least int, do func(ts *testscript.TestScript, args []string)) scriptCommand {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least {
			ts.Fatalf("wants %d arguments, and no '!'", least)
		}
		do(ts, args)
	}
}

// code N PROGRAM ARG... runs a program that has to end with exit code N.
func code(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// commit MESSAGE commits everything.
func commit(ts *testscript.TestScript, args []string) {
	ts.Check(ts.Exec("git", "add", "--all"))
	ts.Check(ts.Exec("git", "commit", "--quiet", "--allow-empty", "--message="+args[0]))
}

// fault METHOD CLASS STATUS [RETRY-AFTER] makes the registry answer so from now on.
func fault(ts *testscript.TestScript, args []string) {
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	do := regtest.Status(status)
	if len(args) > 3 {
		do = regtest.Answer(status, http.Header{"Retry-After": {args[3]}}, "")
	}
	stateOf(ts).registry.Inject(regtest.Rule{Method: args[0], Class: regtest.Class(args[1]), Do: do})
}

// hold keeps every request waiting until its sender gives up.
func hold(ts *testscript.TestScript, _ []string) {
	s := stateOf(ts)
	s.arrived = make(chan struct{})
	s.registry.Inject(regtest.Rule{Do: regtest.Hold(s.arrived, nil)})
}

// interrupt does to the program in the background what Ctrl-C does, as soon as a
// request of it is held.
func interrupt(ts *testscript.TestScript, _ []string) {
	s := stateOf(ts)
	<-s.arrived
	s.stopped = ts.BackgroundCmds()[0]
	ts.Check(s.stopped.Process.Signal(os.Interrupt))
}

// ended CODE checks the exit code of what was interrupted, after wait.
func ended(ts *testscript.TestScript, args []string) {
	if got := strconv.Itoa(stateOf(ts).stopped.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// forget forgets the requests so far.
func forget(ts *testscript.TestScript, _ []string) { stateOf(ts).registry.Reset() }

// requests N checks that the registry was asked at most N times, handshakes apart.
func requests(ts *testscript.TestScript, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	asked := 0
	for _, r := range stateOf(ts).registry.Requests() {
		if r.Class != regtest.Handshake {
			ts.Logf("%v", r)
			asked++
		}
	}
	if asked > most {
		ts.Fatalf("%d requests, want at most %d", asked, most)
	}
}

// unwritten checks that nothing was written to the registry.
func unwritten(ts *testscript.TestScript, _ []string) {
	for _, r := range stateOf(ts).registry.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			ts.Fatalf("the registry was written to: %v", r)
		}
	}
}

// valid SCHEMA FILE checks JSON against docs/schemas.
func valid(ts *testscript.TestScript, args []string) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(stateOf(ts).schemas, args[0]+".schema.json"))
	ts.Check(err)
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &value))
	ts.Check(schema.Validate(value))
}

// spread DIR PROGRAM... makes DIR a folder for PATH that has these programs only.
func spread(ts *testscript.TestScript, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o750))
	for _, name := range args[1:] {
		for _, from := range filepath.SplitList(ts.Getenv("PATH")) {
			path := filepath.Join(from, name)
			if _, err := os.Stat(path); err == nil {
				ts.Check(os.Symlink(path, filepath.Join(dir, name)))
				break
			}
		}
	}
}
