package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"slipway/tools/cli"
)

//go:generate go test -run=TestReference -update .

var update = flag.Bool("update", false, "write docs/reference.md anew")

func parser(tb testing.TB) *kong.Kong {
	tb.Helper()
	p := cli.Program{Commands: &commands{}, Name: "slipway"}
	k, err := p.Parser()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// visit calls do for a command and all below it, in the order of the help.
func visit(n *kong.Node, do func(*kong.Node)) {
	do(n)
	for _, child := range n.Children {
		visit(child, do)
	}
}

// TestReference compares docs/reference.md with the commands there are.
func TestReference(t *testing.T) {
	const file = docs + "reference.md"
	want := reference(parser(t).Model.Node)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, read(t, file)); diff != "" {
		t.Errorf("docs/reference.md is not what the commands say; go generate ./cmd/slipway (-commands +file):\n%s", diff)
	}
}

// TestEverythingHasHelp is what the reference is made of.
func TestEverythingHasHelp(t *testing.T) {
	sentence := regexp.MustCompile(`^[A-Z].*(\.|json|quiet|fish|\})$`)
	visit(parser(t).Model.Node, func(n *kong.Node) {
		if n.Type == kong.CommandNode && !sentence.MatchString(n.Help) {
			t.Errorf("%s: help %q", n.Path(), n.Help)
		}
		for _, f := range n.Flags {
			if !sentence.MatchString(f.Help) {
				t.Errorf("%s --%s: help %q", n.Path(), f.Name, f.Help)
			}
		}
		for _, p := range n.Positional {
			if !sentence.MatchString(p.Help) {
				t.Errorf("%s %s: help %q", n.Path(), p.Name, p.Help)
			}
		}
	})
}

// reference writes all commands as Markdown.
func reference(root *kong.Node) string {
	var b strings.Builder
	b.WriteString("# Reference\n\nEvery command, argument, flag and environment variable; made from the program by `go generate ./cmd/slipway`.\n" +
		"`slipway COMMAND --help` says the same. [scripting.md](scripting.md) has exit codes and JSON.\n")
	visit(root, func(n *kong.Node) {
		if n.Type == kong.CommandNode {
			writeCommand(&b, n)
		}
	})
	return b.String()
}

func writeCommand(b *strings.Builder, n *kong.Node) {
	fmt.Fprintf(b, "\n## slipway %s\n\n%s\n", n.Path(), n.Help)
	if len(n.Children) > 0 {
		b.WriteString("\n")
		for _, child := range n.Children {
			anchor := strings.ReplaceAll("slipway "+child.Path(), " ", "-")
			fmt.Fprintf(b, "- [slipway %s](#%s): %s\n", child.Path(), anchor, child.Help)
		}
		return
	}
	fmt.Fprintf(b, "\n```\nslipway %s\n```\n", usage(n))
	if n.Detail != "" {
		fmt.Fprintf(b, "\n%s\n", detail(n.Detail))
	}
	if len(n.Positional) > 0 {
		b.WriteString("\n| argument | |\n|---|---|\n")
		for _, p := range n.Positional {
			fmt.Fprintf(b, "| `%s` | %s |\n", p.Summary(), cell(p.Help, p.Default, ""))
		}
	}
	if len(n.Flags) == 0 {
		return
	}
	b.WriteString("\n| flag | environment | |\n|---|---|---|\n")
	for _, f := range n.Flags {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", spelling(f), variables(f), cell(f.Help, f.Default, f.Enum))
	}
}

func usage(n *kong.Node) string {
	text := n.Path()
	for _, p := range n.Positional {
		text += " " + p.Summary()
	}
	if len(n.Flags) > 0 {
		text += " [flags]"
	}
	return text
}

func spelling(f *kong.Flag) string {
	text := "--" + f.Name
	if f.Short != 0 {
		text = "-" + string(f.Short) + ", " + text
	}
	switch {
	case f.IsBool():
		return text
	case f.PlaceHolder != "":
		return text + "=" + f.PlaceHolder
	default:
		return text + "=" + strings.ToUpper(f.Name)
	}
}

func variables(f *kong.Flag) string {
	var names []string
	for _, name := range f.Envs {
		names = append(names, "`"+name+"`")
	}
	return strings.Join(names, ", ")
}

// cell is a help text as a cell of a table, with the default where it says more.
func cell(help, byDefault, enum string) string {
	help = strings.ReplaceAll(strings.ReplaceAll(help, "|", `\|`), "${enum}", strings.ReplaceAll(enum, ",", ", "))
	if byDefault != "" {
		help = strings.TrimSuffix(help, ".") + fmt.Sprintf(" (default `%s`).", byDefault)
	}
	return help
}

// detail is a long help, whose indented lines are code.
func detail(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(strings.TrimSpace(text)) {
		indented := strings.HasPrefix(line, "  ")
		if indented != code && (indented || strings.TrimSpace(line) != "") {
			b.WriteString("```\n")
			code = indented
		}
		b.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "  "), "  "))
	}
	if code {
		b.WriteString("\n```")
	}
	return b.String()
}
