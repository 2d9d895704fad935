package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/tools/cli/clitest"
)

const schemas = docs + "schemas"

// TestMain makes the test binary the program itself, under its own name and
// those of links to it.
func TestMain(m *testing.M) {
	program := func() { os.Exit(run()) }
	testscript.Main(m, map[string]func(){"slipway": program, "build": program, "plan": program})
}

func TestScripts(t *testing.T) {
	clitest.Run(t, clitest.Options{Dir: "testdata", Schemas: schemas})
}

// TestRealScripts build with a buildkitd that is on PATH.
func TestRealScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers: left out by -short")
	}
	clitest.Run(t, clitest.Options{Dir: "testdata/real", Schemas: schemas, Engine: true})
}
