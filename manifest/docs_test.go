package manifest

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const docsFile = "../docs/manifest.md"

// block is a fenced block of the documentation.
type block struct{ info, content string }

func docs(tb testing.TB) (text string, blocks []block) {
	tb.Helper()
	content, err := os.ReadFile(docsFile)
	if err != nil {
		tb.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return string(content), blocks
}

// TestExamplesOfTheDocumentation loads every example: sound ones, projects by
// themselves, and a faulty one followed by what is reported about it.
func TestExamplesOfTheDocumentation(t *testing.T) {
	_, blocks := docs(t)
	s := compiledSchema(t)
	for i, b := range blocks {
		switch b.info {
		case "json":
			mustLoad(t, "build_manifest.json", b.content)
		case "yaml":
			mustLoad(t, "build_manifest.yaml", b.content)
		case "json project":
			others := `"base": {"buildDir": "b"}, "db": {"buildDir": "b"}, "protoc": {"buildDir": "b"}, "browser": {"buildDir": "b"}`
			blocks[i].content = newForm(`{"example": ` + b.content + `, ` + others + `}`)
			mustLoad(t, "build_manifest.json", blocks[i].content)
		case "json faulty":
			got := faultsOf(t, repository{"build_manifest.json": b.content}, "build_manifest.json").Error()
			if diff := cmp.Diff(blocks[i+1].content, got+"\n"); diff != "" {
				t.Errorf("faults differ (-documented +reported):\n%s", diff)
			}
			continue
		case "text":
			continue
		default:
			t.Errorf("a block of %q", b.info)
		}
		if content := blocks[i].content; b.info != "yaml" && validate(t, s, content) != nil {
			t.Errorf("the schema refuses %s", content)
		}
	}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	text, _ := docs(t)
	for _, v := range []any{Manifest{}, Registry{}, Project{}, Dependencies{}, Secret{}, Job{}, legacyProject{}} {
		typ := reflect.TypeOf(v)
		for _, name := range names(new(decoder).shape(typ)) {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s of %s is not documented", name, typ.Name())
			}
		}
	}
	for _, c := range []chooser{Network(""), JobKind(""), Stage(""), multiarch("")} {
		if i := slices.IndexFunc(c.choices(), func(choice string) bool { return !strings.Contains(text, "`"+choice+"`") }); i >= 0 {
			t.Errorf("%s is not documented", c.choices()[i])
		}
	}
}
