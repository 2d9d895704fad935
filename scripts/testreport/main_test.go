package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := map[string]struct {
		in   []string
		want []string
		not  []string
		ok   bool
	}{
		"passes": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"pass","Package":"p","Elapsed":1.25}`,
				`{"Action":"skip","Package":"empty"}`,
			},
			want: []string{"ok    p", "1.2s, 1 skipped", "\n1 passed, 0 failed, 1 skipped\n"},
			not:  []string{"chatter", "empty"},
			ok:   true,
		},
		"fails": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: wrong\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: []string{"    a_test.go:3: wrong\nFAIL  p\n1 passed, 1 failed, 0 skipped\n"},
			not:  []string{"==="},
		},
		"does not compile": {
			in: []string{
				`{"Action":"build-output","ImportPath":"p","Output":"a.go:1: undefined: x\n"}`,
				`{"Action":"build-fail","ImportPath":"p"}`,
				`{"Action":"fail","Package":"p"}`,
				`{"Action":"pass","Package":"q","Test":"TestB"}`,
				`{"Action":"pass","Package":"q"}`,
			},
			want: []string{"a.go:1: undefined: x", "FAIL  p", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		"panics": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: []string{"panic: boom", "0 passed, 1 failed, 0 skipped\n"},
		},
		"is cut": {
			in: []string{
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"half\n"}`,
			},
			want: []string{"half", "FAIL  p", "1 passed, 1 failed, 0 skipped\n"},
		},
		"nothing":      {want: []string{"0 passed, 0 failed, 0 skipped\n"}},
		"not an event": {in: []string{"go: no such module", "{"}, want: []string{"go: no such module\n{\n0 passed"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if ok := report(strings.NewReader(strings.Join(append(tt.in, ""), "\n")), &out); ok != tt.ok {
				t.Errorf("well: %t, want %t", ok, tt.ok)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, &out)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("want no %q in\n%s", not, &out)
				}
			}
		})
	}
}
