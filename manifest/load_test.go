package manifest

import (
	"fmt"
	"strings"
	"testing"
)

func big(n int) string {
	var b strings.Builder
	b.WriteString(`{"version": 1, "name": "acme", "registry": {"cache": "127.0.0.1:5000/acme"}, "projects": {` + "\n")
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "  \"team-%d-project-%d\": {\n    \"buildDir\": \"teams/%d/projects/%d\",\n    \"rebuildPatterns\": [\"^teams/%d/projects/%d/\", \"^libs/common-%d/.*\\\\.go$\"],\n    \"interface\": \"1.0\"", i%50, i, i%50, i, i%50, i, i%7)
		if i > 5 {
			fmt.Fprintf(&b, ",\n    \"dependencies\": [\"team-%d-project-%d\", \"team-%d-project-%d\"]", (i/2)%50, i/2, (i/3)%50, i/3)
		}
		b.WriteString("\n  }")
	}
	b.WriteString("\n}}\n")
	return b.String()
}

type one struct {
	Source
	content []byte
}

func (o one) ReadFile(string) ([]byte, error) { return o.content, nil }

func BenchmarkLoad5000(b *testing.B) {
	src := one{content: []byte(big(5000))}
	b.SetBytes(int64(len(src.content)))
	for b.Loop() {
		m, _, err := Load(src, "build_manifest.json")
		if err != nil || len(m.Order()) != 5000 {
			b.Fatal(err)
		}
	}
}
