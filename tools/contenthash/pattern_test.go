package contenthash_test

import (
	"strings"
	"testing"

	"slipway/tools/contenthash"
)

func compile(tb testing.TB, expr string) *contenthash.Pattern {
	tb.Helper()
	p, err := contenthash.CompilePattern(expr)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestCovers(t *testing.T) {
	const none, some, all = contenthash.None, contenthash.Some, contenthash.All
	tests := []struct {
		expr, dir string
		want      contenthash.Coverage
	}{
		// Whole folders, the usual case: no tree below them is read.
		{"^a/", "", some}, {"^a/", "a", all}, {"^a/", "a/b", all}, {"^a/", "b", none}, {"^a/", "aa", none},
		{"^a/b/", "a", some}, {"^a/b/", "a/c", none}, {"^a/b/", "a/b/c", all},
		{"^(a|b)/", "a", all}, {"^(a|b)/", "b", all}, {"^(a|b)/", "c", none}, {"^(a|b)/", "", some},
		{"^(?:libs/x|libs/y)/", "libs", some}, {"^(?:libs/x|libs/y)/", "libs/y", all}, {"^(?:libs/x|libs/y)/", "libs/z", none},
		{"(?i)^A/", "a", all}, {"(?i)^A/", "A", all}, {"(?i)^A/", "b", none},
		{"^a/.*$", "b", none}, {`\Aa/`, "a", all}, {"^a", "ab", all}, {"^a", "b", none},
		// A newline in a name is a character that the dot does not take.
		{"^a/.*$", "a", some}, {"(?s)^a/.*$", "a", some}, {"^a/.*", "a", all}, {"^a/.+", "a", some}, {"(?s)^a/.+", "a", some},
		// No anchor: any folder can hold a match.
		{"a/", "b", some}, {"a/", "b/a", all}, {`\.go$`, "a", some}, {`\bweb\b`, "web", all}, {`\bweb\b`, "apps/web", all},
		{`\bweb\b`, "webs", some}, {"web", "cobwebs", all},
		// Nothing, or everything.
		{"", "", all}, {"", "a", all}, {"$", "", some}, {"$", "a", some}, {"^", "", all}, {"^", "a", all},
		{"^$", "", none}, {"^$", "a", none}, {"^a/$", "a", none}, {"^go.mod$", "a", none}, {"^go.mod$", "go.mod", none},
		{`a\bb`, "", some},
		// Lines: a name may hold a newline, and then a line begins inside of it.
		{"(?m)^x", "", some}, {"(?m)^x", "a", some}, {"(?m)^x", "a\nx", all}, {"(?m)a$", "a\nb", all}, {"(?m)^a/$", "a", some},
		{"(?m)a$", "b/a", some},
		// Bytes that are not UTF-8 count as U+FFFD, one by one.
		{"^\\x{FFFD}/", "\xff", all}, {"^\\x{FFFD}/", "\xff\xfe", none}, {"^../", "\xff\xfe", all}, {"^ü/", "ü", all}, {"^ü/", "\xc3", none},
		// Word boundaries at the end of what is known.
		{`^a/\b`, "a", some}, {`^a/\B`, "a", some}, {`^a\b`, "a", all}, {`^a\B`, "a", none}, {`\B`, "", some},
	}
	for _, test := range tests {
		if got := compile(t, test.expr).Covers(test.dir); got != test.want {
			t.Errorf("Covers(%q) of %q = %d, want %d", test.dir, test.expr, got, test.want)
		}
	}
}

func TestRoot(t *testing.T) {
	tests := map[string]string{
		"^apps/p7/": "apps/p7", "^apps/p7": "apps", "^apps/p7/.*$": "apps/p7", `^apps/p7/main\.go$`: "apps/p7",
		"^(apps/p7)/": "apps/p7", "^(?:apps/p7/)(a|b)": "apps/p7", "apps/p7/": "", "(?i)^apps/p7/": "", "(?m)^apps/p7/": "",
		"^apps/p7/|^x": "", "^apps/[ab]/": "apps", "^go.mod$": "", "^/a/b": "/a", "": "", "^": "", "^apps//x/": "apps//x",
		"^libs/\\x{FFFD}/a/b": "libs", // such a name may be any byte that is not UTF-8
	}
	for expr, want := range tests {
		if got := compile(t, expr).Root(); got != want {
			t.Errorf("Root of %q = %q, want %q", expr, got, want)
		}
	}
}

func TestCompilePatternRefusesBadExpressions(t *testing.T) {
	for _, expr := range []string{"(", "a**", "(?<=a)b", "[z-a]"} {
		if _, err := contenthash.CompilePattern(expr); err == nil || !strings.Contains(err.Error(), expr) {
			t.Errorf("CompilePattern(%q) = %v, want an error that shows the pattern", expr, err)
		}
	}
}

// FuzzCovers holds the shortcuts to what the expression itself says: of every
// path below the folder.
func FuzzCovers(f *testing.F) {
	for _, expr := range []string{
		"^a/", "^(a|b)/", "^(?:libs/x|libs/y)/", "(?i)^A/", "^a/.*$", `\bweb\b`, `\B`, "$", "", "^$", "(?m)^x", "(?m)a$", "(?s)^a/.",
		"^\\x{FFFD}/", `^(a+)*/b`, "a^b|c$", `^a/\b.`, "(?:^|/)vendor/", "(?U)a.*/", `\Aa\z`,
	} {
		for _, path := range [][2]string{
			{"a", "b"}, {"a/b", "c/d"}, {"apps/web", "main.go"}, {"\xff", "\xc3"}, {"a\nx", "\n"}, {"A", "é"}, {"ü", " "},
		} {
			f.Add(expr, path[0], path[1])
		}
	}
	f.Fuzz(func(t *testing.T, expr, dir, rest string) {
		p, err := contenthash.CompilePattern(expr)
		if err != nil || rest == "" {
			return
		}
		path := rest
		if dir != "" {
			path = dir + "/" + rest
		}
		match := p.Match(path)
		switch covers := p.Covers(dir); {
		case covers == contenthash.All && !match:
			t.Errorf("%q covers all of %q, and does not match %q", expr, dir, path)
		case covers == contenthash.None && match:
			t.Errorf("%q covers nothing of %q, and matches %q", expr, dir, path)
		}
		if root := p.Root(); match && root != "" && path != root && !strings.HasPrefix(path, root+"/") {
			t.Errorf("%q has the root %q, and matches %q", expr, root, path)
		}
	})
}
