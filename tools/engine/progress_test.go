package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	started := func(name string) *client.Vertex {
		return &client.Vertex{Digest: digest.FromString(name), Name: name, Started: &now}
	}
	ended := func(name string, cached bool, err string) *client.Vertex {
		return &client.Vertex{Digest: digest.FromString(name), Name: name, Started: &now, Completed: &now, Cached: cached, Error: err}
	}
	tests := []struct {
		name   string
		steps  []*client.Vertex
		want   Result
		events string
	}{
		{"one step", []*client.Vertex{started("[1/1] RUN a"), ended("[1/1] RUN a", false, "")}, Result{Ran: 1, FirstMiss: "[1/1] RUN a"}, "started done"},
		{"cached", []*client.Vertex{ended("[web 2/3] COPY a b", true, "")}, Result{Cached: 1}, "cached"},
		{"cached, then its files are fetched", []*client.Vertex{
			ended("[2/3] RUN a", true, ""), started("[2/3] RUN a"), ended("[2/3] RUN a", false, ""),
		}, Result{Cached: 1}, "cached"},
		{"cached, then its files cannot be fetched", []*client.Vertex{
			ended("[2/3] RUN a", true, ""), ended("[2/3] RUN a", false, "gone"), ended("[2/3] RUN a", false, "gone"),
		}, Result{Cached: 1}, "cached failed"},
		{"not the Dockerfile's", []*client.Vertex{
			ended("[internal] load build context", false, ""), ended("exporting to image", false, ""),
			ended("[context base] r/base@x", false, ""), ended("[1/3] FROM r/base", false, ""), ended("[auth] x", false, ""),
		}, Result{}, "done done done done done"},
		{"platform", []*client.Vertex{ended("[linux/arm64 web 2/3] RUN a", false, "")}, Result{Ran: 1, FirstMiss: "[linux/arm64 web 2/3] RUN a"}, "done"},
		{"cache trouble", []*client.Vertex{
			ended("importing cache manifest from r/x:c", false, "no"), ended("exporting cache to registry", false, "no"),
		}, Result{}, "warning warning"},
		{"no cache yet", []*client.Vertex{ended("importing cache manifest from r/x:c", false, "r/x:c: not found")}, Result{}, "done"},
		{"cache that cannot be written", []*client.Vertex{ended("exporting cache to registry", false, "r/x:c: not found")}, Result{}, "warning"},
		{"stopped by another's failure", []*client.Vertex{
			started("[1/2] RUN a"), started("[1/1] RUN b"), ended("[1/1] RUN b", false, "exit code: 3"), ended("[1/2] RUN a", false, "exit code: 137: context canceled"),
		}, Result{Ran: 1, FirstMiss: "[1/1] RUN b"}, "started started failed"},
		{"cut off", []*client.Vertex{started("[1/1] RUN a")}, Result{}, "started"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var states []string
			p := newProgress(func(e Event) { states = append(states, string(e.State)) })
			statuses := make(chan *client.SolveStatus, len(tt.steps))
			for _, v := range tt.steps {
				statuses <- &client.SolveStatus{Vertexes: []*client.Vertex{v}}
			}
			close(statuses)
			p.watch(t.Context(), statuses)
			var got Result
			p.count(&got)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.events, withoutStarts(tt.events, states)); d != "" {
				t.Error(d)
			}
		})
	}
}

// withoutStarts drops "started" where a table does not care to name it.
func withoutStarts(want string, states []string) string {
	if strings.Contains(want, "started") {
		return strings.Join(states, " ")
	}
	var kept []string
	for _, s := range states {
		if s != "started" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}

// TestWarningsAreLines: each try has its own.
func TestWarningsAreLines(t *testing.T) {
	now := time.Unix(0, 0)
	trouble := &client.Vertex{Digest: digest.FromString("x"), Name: "exporting cache to registry", Started: &now, Completed: &now, Error: "no"}
	var log strings.Builder
	p := newProgress(func(e Event) { log.Write(e.Log) })
	statuses := make(chan *client.SolveStatus, 1)
	statuses <- &client.SolveStatus{
		Vertexes: []*client.Vertex{trouble},
		Warnings: []*client.VertexWarning{{Vertex: trouble.Digest, Short: []byte("casing")}},
	}
	close(statuses)
	p.watch(t.Context(), statuses)
	if want := "exporting cache to registry: no\ncasing\n"; log.String() != want {
		t.Errorf("warnings are %q, want %q", log.String(), want)
	}
}

// TestInterrupted: what ended because the build was stopped has not failed.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := time.Unix(0, 0)
	p := newProgress(func(e Event) {
		if e.State != StepStarted {
			t.Errorf("event %+v", e)
		}
	})
	statuses := make(chan *client.SolveStatus, 1)
	statuses <- &client.SolveStatus{Vertexes: []*client.Vertex{
		{Digest: digest.FromString("a"), Name: "[1/1] RUN a", Started: &now, Completed: &now, Error: "exit code: 137"},
	}}
	close(statuses)
	p.watch(ctx, statuses)
	var got Result
	p.count(&got)
	if d := cmp.Diff(Result{}, got); d != "" {
		t.Error(d)
	}
}
