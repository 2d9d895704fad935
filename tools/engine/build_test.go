package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func TestNamedContextsInBuilds(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	marked := func(mark string) string {
		r := solve(t, e, Request{Context: []File{file("mark", mark)}, Dockerfile: []byte("FROM scratch\nCOPY mark /mark\n"), Repository: host + "/m"})
		return host + "/m@" + r.Digest
	}
	plain, sh := marked("plain"), base(t, e, host)
	contexts := map[string]string{
		"base": plain, "deploy.example:5000/acme/base": plain, "debian:12": plain, "docker.io/library/alpine:3": plain,
		"ubuntu": plain, "quay.example/x/y:v1": plain, "shell": sh,
	}
	tests := map[string]string{
		"name":                    "FROM base\n",
		"latest":                  "FROM base:latest\n",
		"legacy name":             "FROM deploy.example:5000/acme/base\n",
		"legacy name, latest":     "FROM deploy.example:5000/acme/base:latest\n",
		"tag":                     "FROM debian:12\n",
		"tag, long form":          "FROM docker.io/library/debian:12\n",
		"alias in long form":      "FROM alpine:3\n",
		"alias without tag":       "FROM ubuntu:latest\n",
		"other registry":          "FROM quay.example/x/y:v1\n",
		"stage of the alias name": "FROM debian:12 AS base\n",
		"copy":                    "FROM scratch\nCOPY --from=base /mark /mark\n",
		"copy with tag":           "FROM scratch\nCOPY --from=debian:12 /mark /mark\n",
		"copy from registry":      "FROM scratch\nCOPY --from=deploy.example:5000/acme/base /mark /mark\n",
		"mount":                   "FROM shell\nRUN --mount=from=base,target=/b cat /b/mark > /mark\n",
		"argument":                "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
		"syntax line":             "# syntax=docker/dockerfile:1\nFROM base\n",
	}
	for name, dockerfile := range tests {
		t.Run(name, func(t *testing.T) {
			r := solve(t, e, Request{Dockerfile: []byte(dockerfile), NamedContexts: contexts, Repository: host + "/out", BuildArgs: map[string]string{"BASE_IMAGE": plain}})
			if got := contents(t, image(t, host+"/out", r.Digest))["mark"]; got != "plain" {
				t.Errorf("mark = %q", got)
			}
		})
	}
}

// TestSecrets: a secret reaches the step and nothing that stays.
func TestSecrets(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	const secret = "s3cr3t-value-19"
	req := Request{
		Dockerfile:    []byte("FROM base\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size\n"),
		NamedContexts: map[string]string{"base": base(t, e, host)},
		Secrets:       map[string][]byte{"token": []byte(secret)},
		Repository:    host + "/web",
		CacheTo:       host + "/web:cache",
	}
	result, rec, err := trySolve(t.Context(), e, req)
	if err != nil {
		t.Fatal(err)
	}
	img := image(t, host+"/web", result.Digest)
	if got := contents(t, img)["size"]; got != "15\n" {
		t.Errorf("size = %q", got)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := io.ReadAll(mutate.Extract(img))
	if err != nil {
		t.Fatal(err)
	}
	for where, b := range map[string][]byte{"configuration": config, "layers": layers, "events": []byte(rec.log())} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret is in the %s", where)
		}
	}
}

// TestFailedStep: the error has the step, its place, and its last lines as they were.
func TestFailedStep(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	result, rec, err := trySolve(t.Context(), e, Request{
		Dockerfile:    []byte("FROM base AS web\nRUN echo fine\nRUN --mount=type=secret,id=t echo before; cat /run/secrets/t; echo; echo after; exit 7\n"),
		NamedContexts: map[string]string{"base": base(t, e, host)},
		Secrets:       map[string][]byte{"t": []byte("hush-hush")},
		Repository:    host + "/web",
	})
	var step *StepError
	if !errors.As(err, &step) {
		t.Fatalf("error = %v", err)
	}
	if !strings.Contains(step.Step, "exit 7") || step.Position != "Dockerfile:3" || step.Log != "before\nhush-hush\nafter" {
		t.Errorf("step %q, position %q, log %q", step.Step, step.Position, step.Log)
	}
	if s := err.Error(); !strings.Contains(s, "exit code: 7") || strings.Count(s, "exit 7") > 2 {
		t.Errorf("error = %s", s)
	}
	if result.Ran != 2 || result.Cached != 0 || !strings.HasSuffix(result.FirstMiss, "RUN echo fine") {
		t.Errorf("result = %+v", result)
	}
	if !strings.Contains(rec.log(), "failed "+step.Step) {
		t.Errorf("no event of the failure in\n%s", rec.log())
	}
}

func TestFaults(t *testing.T) {
	realServers(t)
	e := local(t)
	boom := errors.New("boom")
	tests := map[string]struct {
		r    Request
		want string
	}{
		"syntax":       {Request{Dockerfile: []byte("FROM scratch\nNOSUCH\n")}, "NOSUCH"},
		"no stage":     {Request{Dockerfile: []byte("FROM scratch\n"), Target: "web"}, "web"},
		"missing file": {Request{Dockerfile: []byte("FROM scratch\nCOPY nofile /\n")}, "nofile"},
		"network":      {Request{Dockerfile: []byte("FROM scratch\n"), Network: "bridge"}, "bridge"},
		"unreadable file": {Request{Dockerfile: []byte("FROM scratch\nCOPY . /\n"), Context: []File{{
			Path: "bad", Size: 1, Open: func(context.Context) (io.ReadCloser, error) { return nil, boom }}}}, `reading "bad" of the build context: boom`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, _, err := trySolve(t.Context(), e, tt.r); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestNetworkNone(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }))
	t.Cleanup(web.Close)
	req := Request{
		Dockerfile:    []byte("FROM base\nARG URL\nRUN wget -q -O /got $URL\n"),
		BuildArgs:     map[string]string{"URL": web.URL},
		NamedContexts: map[string]string{"base": base(t, e, host)},
		Repository:    host + "/web",
	}
	r := solve(t, e, req)
	if got := contents(t, image(t, host+"/web", r.Digest))["got"]; got != "hi" {
		t.Errorf("with a network: got %q", got)
	}
	req.Network = "none"
	var step *StepError
	if _, _, err := trySolve(t.Context(), e, req); !errors.As(err, &step) {
		t.Errorf("without a network: error = %v", err)
	}
}

// TestContext: modes, links, odd names and the ignore file arrive as they are.
func TestContext(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	files := []File{
		file(" lead", "1"), file("a b/c\td", "2"), file("new\nline", "3"), file("ünï/çø∂é", "4"), file("-flag", "5"),
		file("star*[x]?", "6"), file(`back\slash`, "7"), file("$VAR", "8"), file("dir.x/f", "9"), file("dir/f", "10"),
		executable("run.sh", []byte("#!")), link("to-file", "dir/f"), link("to-dir", "dir"), link("dangling", "no/where"),
		link("absolute", "/etc/passwd"), link("dir.x/up", "../dir"), {Path: "empty", Mode: fs.ModeDir | 0o755}, file("ignored/x", "n"),
		file("ignored/kept", "y"), file("a.log", "n"), file("Dockerfile", "not this one"), file("zero", ""),
	}
	r := solve(t, e, Request{
		Context: files, DockerfileName: "build/web.Dockerfile",
		Dockerfile:   []byte("FROM scratch\nCOPY . /\n"),
		Dockerignore: []byte("ignored\n!ignored/kept\n*.log\n"),
		Repository:   host + "/web",
	})
	got := map[string]string{}
	for h, body := range tarFiles(t, mutate.Extract(image(t, host+"/web", r.Digest))) {
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != sourceDateEpoch {
			t.Errorf("%q: owner %d:%d, time %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		mode := fs.FileMode(h.Mode).Perm().String()
		switch h.Typeflag {
		case tar.TypeSymlink:
			got[h.Name] = "-> " + h.Linkname
		case tar.TypeDir:
			got[h.Name] = "d " + mode
		default:
			got[h.Name] = mode + " " + body
		}
	}
	want := map[string]string{
		" lead": "-rw-r--r-- 1", "a b": "d -rwxr-xr-x", "a b/c\td": "-rw-r--r-- 2", "new\nline": "-rw-r--r-- 3", "ünï": "d -rwxr-xr-x",
		"ünï/çø∂é": "-rw-r--r-- 4", "-flag": "-rw-r--r-- 5", "star*[x]?": "-rw-r--r-- 6", `back\slash`: "-rw-r--r-- 7", "$VAR": "-rw-r--r-- 8",
		"dir.x": "d -rwxr-xr-x", "dir.x/f": "-rw-r--r-- 9", "dir": "d -rwxr-xr-x", "dir/f": "-rw-r--r-- 10", "run.sh": "-rwxr-xr-x #!",
		"to-file": "-> dir/f", "to-dir": "-> dir", "dangling": "-> no/where", "absolute": "-> /etc/passwd", "dir.x/up": "-> ../dir",
		"empty": "d -rwxr-xr-x", "ignored": "d -rwxr-xr-x", "ignored/kept": "-rw-r--r-- y", "Dockerfile": "-rw-r--r-- not this one", "zero": "-rw-r--r-- ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestSameSizeChange: a daemon that lives on must see a change that size and
// time do not show.
func TestSameSizeChange(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	for _, content := range []string{"one", "two"} {
		r := solve(t, e, Request{Context: []File{file("f", content)}, Dockerfile: []byte("FROM scratch\nCOPY f /f\n"), Repository: host + "/web"})
		if got := contents(t, image(t, host+"/web", r.Digest))["f"]; got != content {
			t.Errorf("f = %q, want %q", got, content)
		}
	}
}

// TestStreamed: only what the Dockerfile takes is read.
func TestStreamed(t *testing.T) {
	realServers(t)
	e := local(t)
	untouched := File{Path: "other/big", Size: 1 << 40, Open: func(context.Context) (io.ReadCloser, error) {
		t.Error("read a file that no step takes")
		return nil, os.ErrInvalid
	}}
	solve(t, e, Request{Context: []File{file("src/f", "x"), untouched}, Dockerfile: []byte("FROM scratch\nCOPY src /src\n")})
}

// TestCancel: a build ends when its context does, in the middle of a step, and
// the engine can build on.
func TestCancel(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	b := base(t, e, host)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	rec := &recorder{}
	_, err := e.Solve(ctx, Request{Dockerfile: []byte("FROM base\nRUN echo running; sleep 1000\n"), NamedContexts: map[string]string{"base": b}}, func(e Event) {
		rec.add(e)
		if strings.Contains(string(e.Log), "running") {
			cancel(why)
		}
	})
	if !errors.Is(err, why) {
		t.Errorf("error = %v", err)
	}
	if strings.Contains(rec.log(), string(StepFailed)) {
		t.Errorf("an interrupted step has failed in\n%s", rec.log())
	}
	solve(t, e, Request{Dockerfile: []byte("FROM base\nRUN echo again\n"), NamedContexts: map[string]string{"base": b}})
}
