package records_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/internal/retry"
	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/records"
	"slipway/tools/registry"
)

const (
	hash       = contenthash.Hash("1111111111111111111111111111111111111111")
	commitID   = "2222222222222222222222222222222222222222"
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	commitType = "application/vnd.slipway.commit.v1+json"
	// writing is what a commit record costs: one GET of the commit's tag, three requests
	// for each of two blobs, one PUT for each of two tags.
	writing = 1 + 2*3 + 2
)

// store is an empty registry's.
type store struct {
	*records.Store
	*regtest.Registry
	client *registry.Client
}

func newStore(tb testing.TB) store {
	tb.Helper()
	r := regtest.New(tb)
	noWait := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	client := registry.New(registry.Options{Retry: retry.Policy{Attempts: 2, Sleep: noWait}})
	layout := records.NewLayout(manifest.Location(r.Repository("acme")))
	return store{records.NewStore(client, layout), r, client}
}

// again is the same registry, asked by somebody who has not shaken hands yet.
func (s store) again() *records.Store {
	return records.NewStore(registry.New(registry.Options{}), s.Layout)
}

// image puts an image without layers.
func (s store) image(tb testing.TB, project string) registry.Digest {
	tb.Helper()
	config, err := s.client.PutBlob(tb.Context(), s.Image(project), "application/vnd.oci.image.config.v1+json", []byte("{}"))
	if err != nil {
		tb.Fatal(err)
	}
	return s.put(tb, s.Image(project), "v1", fmt.Sprintf(
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		imageType, config.MediaType, config.Digest, config.Size))
}

func (s store) put(tb testing.TB, repo registry.Repository, tag, body string) registry.Digest {
	tb.Helper()
	d, err := s.client.Put(tb.Context(), repo, tag, imageType, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return d.Digest
}

func (s store) bytes(tb testing.TB, tag string) string {
	tb.Helper()
	m, err := s.client.Get(tb.Context(), s.Commits(), tag)
	if err != nil {
		tb.Fatal(err)
	}
	return string(m.Bytes)
}

func (s store) absent(tb testing.TB, repo registry.Repository, tag string) {
	tb.Helper()
	if _, err := s.client.Head(tb.Context(), repo, tag); !errors.Is(err, registry.ErrNotFound) {
		tb.Errorf("%s:%s is there: %v", repo, tag, err)
	}
}

// commit is a record of several projects.
func commit() records.Commit {
	const digest = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
	return records.Commit{
		Schema: 1, Commit: commitID, Time: time.Unix(1700000000, 0).UTC(), Source: "https://example.com/acme/mono",
		Projects: map[string]records.Built{"web": {hash, digest}, "api": {hash, digest}},
	}
}

func TestCommitRoundTrip(t *testing.T) {
	s, want := newStore(t), commit()
	if got, err := s.Branch(t.Context(), "main"); err != nil || got != nil {
		t.Fatalf("Branch of an empty registry = %+v, %v", got, err)
	}
	given := want
	given.Schema = 0
	given.Time = want.Time.Add(time.Millisecond).In(time.FixedZone("x", 3600))
	if err := s.WriteCommit(t.Context(), given, "main"); err != nil {
		t.Fatal(err)
	}
	got, err := s.again().Branch(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("Branch (-want +got):\n%s", diff)
	}
	if s.bytes(t, "branch-main") != s.bytes(t, "k-"+commitID) {
		t.Error("the branch's hint is not the commit's record")
	}
}

func TestRecordIsSmallAndSaysWhatItIs(t *testing.T) {
	s := newStore(t)
	if err := s.WriteCommit(t.Context(), commit(), ""); err != nil {
		t.Fatal(err)
	}
	var m struct {
		ArtifactType string
		Config       struct{ MediaType string }
		Annotations  map[string]string
	}
	if err := json.Unmarshal([]byte(s.bytes(t, "k-"+commitID)), &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"org.opencontainers.image.created": "2023-11-14T22:13:20Z", "org.opencontainers.image.revision": commitID,
		"org.opencontainers.image.source": "https://example.com/acme/mono",
	}
	if diff := cmp.Diff(want, m.Annotations); diff != "" || m.ArtifactType != commitType || m.Config.MediaType != commitType {
		t.Errorf("artifact type %q, config %q, annotations (-want +got):\n%s", m.ArtifactType, m.Config.MediaType, diff)
	}
	s.absent(t, s.Commits(), "branch-")
}

func TestRetryWritesTheSameBytes(t *testing.T) {
	one, other := newStore(t), newStore(t)
	for _, s := range []store{one, other, one} {
		if err := s.again().WriteCommit(t.Context(), commit(), "main"); err != nil {
			t.Fatal(err)
		}
	}
	if one.bytes(t, "k-"+commitID) != other.bytes(t, "k-"+commitID) {
		t.Error("the same commit was written differently to two registries")
	}
}

func TestBudgets(t *testing.T) {
	s := newStore(t)
	handshake := regtest.Budget{Handshakes: 1}
	spend := func(requests int) regtest.Budget {
		handshake.Others = requests
		return handshake
	}
	large := commit()
	large.Projects = maps.Clone(large.Projects)
	for i := range 1000 {
		large.Projects[fmt.Sprintf("p%d", i)] = large.Projects["web"]
	}
	steps := []struct {
		name   string
		budget int
		do     func(*records.Store) error
	}{
		{"reading a hint that is absent", 1, func(r *records.Store) error { _, err := r.Branch(t.Context(), "main"); return err }},
		{"writing", writing, func(r *records.Store) error { return r.WriteCommit(t.Context(), large, "main") }},
		{"writing again", 3, func(r *records.Store) error { return r.WriteCommit(t.Context(), large, "main") }},
		{"reading 1,000 projects", 2, func(r *records.Store) error { _, err := r.Branch(t.Context(), "main"); return err }},
		{"asking for a content", 1, func(r *records.Store) error { _, _, err := r.Built(t.Context(), "web", hash); return err }},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			s.Reset()
			if err := step.do(s.again()); err != nil {
				t.Fatal(err)
			}
			s.Budget(t, spend(step.budget))
		})
	}
	d := s.image(t, "web")
	s.Reset()
	if err := s.MarkBuilt(t.Context(), "web", hash, d); err != nil {
		t.Fatal(err)
	}
	s.Budget(t, regtest.Budget{Handshakes: 1, Others: 2})
}

func TestBuilt(t *testing.T) {
	s := newStore(t)
	if d, found, err := s.Built(t.Context(), "web", hash); d != "" || found || err != nil {
		t.Errorf("Built before = %q, %v, %v", d, found, err)
	}
	want := s.image(t, "web")
	if err := s.MarkBuilt(t.Context(), "web", hash, want); err != nil {
		t.Fatal(err)
	}
	if d, found, err := s.Built(t.Context(), "web", hash); d != want || !found || err != nil {
		t.Errorf("Built after = %q, %v, %v, want %q", d, found, err, want)
	}
	s.image(t, "api")
	if _, found, err := s.Built(t.Context(), "api", hash); found || err != nil {
		t.Errorf("Built of another project = %v, %v", found, err)
	}
}

func TestMarkBuiltWritesNothingItCannotStandFor(t *testing.T) {
	const gone = "sha256:4444444444444444444444444444444444444444444444444444444444444444"
	tests := map[string]struct {
		hash  contenthash.Hash
		image registry.Digest // "" is one that is there
		end   bool
		fault regtest.Fault // of reading the image
	}{
		"a dirty content":        {hash: hash.AsDirty()},
		"an image that is gone":  {hash: hash, image: gone},
		"a context that ended":   {hash: hash, end: true},
		"a refusal to read":      {hash: hash, fault: regtest.Status(403)},
		"a cut answer":           {hash: hash, fault: regtest.CutBody()},
		"an answer of another":   {hash: hash, fault: regtest.Rewrite(func(b []byte) []byte { return append(b, ' ') })},
		"a registry that is off": {hash: hash, fault: regtest.Status(503)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			image := s.image(t, "web")
			if test.image != "" {
				image = test.image
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.end {
				s.Inject(regtest.Rule{Method: "GET", Class: regtest.Manifests, Do: afterwards(cancel)})
			}
			if test.fault != nil {
				s.Inject(regtest.Rule{Method: "GET", Class: regtest.Manifests, Do: test.fault})
			}
			s.Reset()
			if err := s.MarkBuilt(ctx, "web", test.hash, image); err == nil {
				t.Error("MarkBuilt gives no error")
			}
			if n := s.Count("PUT", regtest.Manifests); n != 0 {
				t.Errorf("%d OCI manifests were written", n)
			}
			s.Mend()
			s.absent(t, s.Image("web"), records.ContentTag(test.hash))
		})
	}
}

func TestOnlyNotFoundIsAbsence(t *testing.T) {
	faults := map[string]regtest.Fault{
		"401": regtest.Status(401), "403": regtest.Status(403), "429": regtest.Status(429), "500": regtest.Status(500),
		"503": regtest.Status(503), "cut before": regtest.CutBefore(), "cut answer": regtest.CutAnswer(),
		"a proxy's 404": regtest.Answer(404, map[string][]string{"Content-Type": {"text/html"}}, "<h1>not found</h1>"),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			if err := s.WriteCommit(t.Context(), commit(), "main"); err != nil {
				t.Fatal(err)
			}
			before := s.bytes(t, "k-"+commitID)
			for _, class := range []regtest.Class{regtest.Manifests, regtest.Blobs} {
				s.Inject(regtest.Rule{Class: class, Do: fault})
				if got, err := s.Branch(t.Context(), "main"); err == nil || got != nil || errors.Is(err, records.ErrDamaged) {
					t.Errorf("Branch when %s go wrong = %v, %v", class, got, err)
				}
				changed := commit()
				changed.Projects = nil
				if err := s.WriteCommit(t.Context(), changed, "main"); err == nil {
					t.Errorf("WriteCommit when %s go wrong gives no error", class)
				}
				if _, found, err := s.Built(t.Context(), "web", hash); class == regtest.Manifests && (err == nil || found) {
					t.Errorf("Built = %v, %v", found, err)
				}
				s.Mend()
			}
			if s.bytes(t, "k-"+commitID) != before {
				t.Error("the record was replaced though it could not be read")
			}
		})
	}
}

func TestDamagedRecordsAreSaidAndReplaced(t *testing.T) {
	config := func(text string) func(testing.TB, store) string {
		return func(tb testing.TB, s store) string {
			tb.Helper()
			d, err := s.client.PutBlob(tb.Context(), s.Commits(), commitType, []byte(text))
			if err != nil {
				tb.Fatal(err)
			}
			return ociManifest(commitType, string(d.Digest), d.Size)
		}
	}
	body := func(text string) func(testing.TB, store) string {
		return func(testing.TB, store) string { return text }
	}
	encoded := func(change func(*records.Commit)) func(testing.TB, store) string {
		c := commit()
		c.Projects = maps.Clone(c.Projects)
		change(&c)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return config(string(text))
	}
	tests := map[string]func(testing.TB, store) string{
		"an image":         func(tb testing.TB, s store) string { tb.Helper(); return s.otherType(tb) },
		"no config":        body(`{"schemaVersion":2,"artifactType":"` + commitType + `"}`),
		"not an object":    body(`{"artifactType":["` + commitType + `"]}`),
		"an empty object":  body(`{}`),
		"bad JSON":         config("{"),
		"another's JSON":   config("[]"),
		"a schema to come": encoded(func(c *records.Commit) { c.Schema = 2 }),
		"no schema":        config("{}"),
		"no commit":        encoded(func(c *records.Commit) { c.Commit = "" }),
		"a bad commit":     encoded(func(c *records.Commit) { c.Commit = "HEAD; rm" }),
		"a bad digest":     encoded(func(c *records.Commit) { c.Projects["web"] = records.Built{ContentHash: hash, Digest: "latest"} }),
		"no digest":        encoded(func(c *records.Commit) { c.Projects["web"] = records.Built{ContentHash: hash} }),
		"a dirty content": encoded(func(c *records.Commit) {
			c.Projects["web"] = records.Built{ContentHash: hash.AsDirty(), Digest: c.Projects["web"].Digest}
		}),
		"a time of nothing": config(`{"schema":1,"commit":"` + commitID + `","time":"yesterday"}`),
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			text := make(t, s)
			s.put(t, s.Commits(), "branch-main", text)
			s.put(t, s.Commits(), "k-"+commitID, text)
			s.checkReplaced(t)
		})
	}
	t.Run("a blob that is gone", func(t *testing.T) {
		s := newStore(t)
		if err := s.WriteCommit(t.Context(), commit(), "main"); err != nil {
			t.Fatal(err)
		}
		s.Inject(regtest.Rule{Method: "GET", Class: regtest.Blobs, Times: 2, Do: regtest.Status(404)})
		s.checkReplaced(t)
	})
	t.Run("a blob of many megabytes", func(t *testing.T) {
		s := newStore(t)
		text := config(`"`+strings.Repeat("x", 2<<20)+`"`)(t, s)
		s.put(t, s.Commits(), "branch-main", text)
		s.put(t, s.Commits(), "k-"+commitID, text)
		s.checkReplaced(t)
	})
}

func ociManifest(artifactType, config string, size int64) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		imageType, artifactType, commitType, config, size)
}

// otherType is a sound record of another kind.
func (s store) otherType(tb testing.TB) string {
	tb.Helper()
	d, err := s.client.PutBlob(tb.Context(), s.Commits(), commitType, []byte("{}"))
	if err != nil {
		tb.Fatal(err)
	}
	return ociManifest("application/vnd.slipway.passed.v1+json", string(d.Digest), d.Size)
}

// checkReplaced reads the hint, which is damaged, and writes the next one.
func (s store) checkReplaced(tb testing.TB) {
	tb.Helper()
	if got, err := s.Branch(tb.Context(), "main"); !errors.Is(err, records.ErrDamaged) || got != nil {
		tb.Errorf("Branch = %v, %v, want ErrDamaged", got, err)
	}
	if err := s.WriteCommit(tb.Context(), commit(), "main"); err != nil {
		tb.Fatal(err)
	}
	if got, err := s.Branch(tb.Context(), "main"); err != nil || !got.Says(commit()) {
		tb.Errorf("Branch after another write = %v, %v", got, err)
	}
}

func TestWriteCommitStopsWithItsContext(t *testing.T) {
	// The context ends while each request in turn is answered: what is there
	// afterwards is a whole record or none, and the hint never without the record.
	for n := range writing + 1 {
		s := newStore(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.Inject(regtest.Rule{Skip: n, Times: 1, Do: afterwards(cancel)})
		err := s.WriteCommit(ctx, commit(), "main")
		cancel()
		s.Mend()
		if n < writing && err == nil { // request 0 is the handshake
			t.Errorf("cancelled at request %d, WriteCommit gives no error", n)
		}
		hint, err := s.Branch(t.Context(), "main")
		if err != nil {
			t.Errorf("cancelled at request %d: %v", n, err)
		}
		if hint != nil && s.bytes(t, "k-"+commitID) != s.bytes(t, "branch-main") {
			t.Errorf("cancelled at request %d, the hint has no record", n)
		}
		if err := s.WriteCommit(t.Context(), commit(), "main"); err != nil {
			t.Errorf("going on after request %d: %v", n, err)
		}
	}
}

func TestRecordThatIsTooLarge(t *testing.T) {
	s, c := newStore(t), commit()
	c.Projects = map[string]records.Built{strings.Repeat("x", 1<<20): {}}
	if err := s.WriteCommit(t.Context(), c, "main"); err == nil {
		t.Error("a record of more than 1 MiB was written")
	}
	s.absent(t, s.Commits(), "k-"+commitID)
}

func TestSays(t *testing.T) {
	same, other, fewer := commit(), commit(), commit()
	other.Commit = "5555555555555555555555555555555555555555"
	fewer.Projects = nil
	c := commit()
	if !c.Says(same) || c.Says(other) || c.Says(fewer) || (*records.Commit)(nil).Says(same) {
		t.Error("Says does not compare the commit and its projects")
	}
}
