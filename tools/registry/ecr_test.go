package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

const ecrRegistry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"

// awsDouble is the part of AWS's ECR API that is used, and what it was asked.
type awsDouble struct {
	url string

	mu     sync.Mutex
	calls  []string
	repos  map[string]bool
	denied string // an operation that is refused
	lasts  time.Time
}

func newAWS(tb testing.TB) *awsDouble {
	tb.Helper()
	setenv(tb, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	setenv(tb, "AWS_SECRET_ACCESS_KEY", "secret")
	noAmbientAWS(tb)
	a := &awsDouble{repos: map[string]bool{}, lasts: time.Unix(1<<32, 0)}
	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func noAmbientAWS(tb testing.TB) {
	tb.Helper()
	for key, value := range map[string]string{
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_ECR": "",
	} {
		setenv(tb, key, value)
	}
}

func (a *awsDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.calls = append(a.calls, operation)
	var in struct {
		RepositoryName  string   `json:"repositoryName"`
		RepositoryNames []string `json:"repositoryNames"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if operation == a.denied {
		refuseAWS(w, "AccessDeniedException")
		return
	}
	switch operation {
	case "GetAuthorizationToken":
		token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "AWS:password-%d", len(a.calls)))
		data := fmt.Sprintf(`{"authorizationToken":%q,"expiresAt":%d}`, token, a.lasts.Unix())
		if !strings.Contains(r.Header.Get("X-Amz-Target"), "SpencerFrontendService") {
			data = "[" + data + "]"
		}
		_, _ = fmt.Fprintf(w, `{"authorizationData":%s}`, data)
	case "CreateRepository":
		if a.repos[in.RepositoryName] {
			refuseAWS(w, "RepositoryAlreadyExistsException")
			return
		}
		a.repos[in.RepositoryName] = true
		_, _ = fmt.Fprint(w, `{}`)
	case "DescribeRepositories":
		if len(in.RepositoryNames) != 1 || !a.repos[in.RepositoryNames[0]] {
			refuseAWS(w, "RepositoryNotFoundException")
			return
		}
		_, _ = fmt.Fprint(w, `{"repositories":[{}]}`)
	default:
		refuseAWS(w, "UnknownOperationException")
	}
}

func refuseAWS(w http.ResponseWriter, code string) {
	w.Header().Set("X-Amzn-ErrorType", code)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, code)
}

func (a *awsDouble) asked() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.calls, " ")
}

func (a *awsDouble) has(repo string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.repos[repo]
}

// refuseUnmade answers pushes as ECR does whose repository nobody made.
func (a *awsDouble) refuseUnmade(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
		repo, _, _ = strings.Cut(repo, "/manifests/")
		if !a.has(repo) {
			next = regtest.Status(http.StatusNotFound)(nil)
		}
		next.ServeHTTP(w, r)
	})
}

// ecrDouble is a registry that answers to every host name, and wants password.
func ecrDouble(tb testing.TB, password string) (*regtest.Registry, http.RoundTripper) {
	tb.Helper()
	r := regtest.NewWith(tb, regtest.Options{TLS: true, Username: "AWS", Password: password})
	way := r.Transport().(*http.Transport).Clone()
	way.TLSClientConfig.ServerName = "127.0.0.1"
	way.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, r.Host)
	}
	return r, way
}

func TestECRPush(t *testing.T) {
	for _, host := range []string{
		ecrRegistry,
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"123456789012.dkr-ecr.eu-west-1.on.aws",
	} {
		t.Run(host, func(t *testing.T) {
			aws := newAWS(t)
			r, way := ecrDouble(t, "password-1")
			r.Inject(regtest.Rule{Path: "/acme/", Do: aws.refuseUnmade})
			c := registry.New(registry.Options{Transport: way, Retry: patient(), AWS: registry.AWS{Endpoint: aws.url}})
			repo := registry.Repository(host + "/acme/web")
			if _, err := c.Head(t.Context(), repo, "v1"); !errors.Is(err, registry.ErrNotFound) {
				t.Fatalf("Head() = %v, want ErrNotFound", err)
			}
			push(t, c, repo, "v1", newImage(t, "{}", "layer"))
			push(t, c, repo, "v2", newImage(t, "{}", "another"))
			if got, want := aws.asked(), "GetAuthorizationToken CreateRepository"; got != want {
				t.Errorf("AWS was asked for %s, want %s", got, want)
			}
		})
	}
}

func TestEnsure(t *testing.T) {
	tests := map[string]struct {
		exists bool
		denied string
		asked  string
		fail   bool
	}{
		"absent":                    {asked: "CreateRepository"},
		"there":                     {exists: true, asked: "CreateRepository"},
		"there, may not create":     {exists: true, denied: "CreateRepository", asked: "CreateRepository DescribeRepositories"},
		"absent and may not create": {denied: "CreateRepository", asked: "CreateRepository DescribeRepositories", fail: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			aws := newAWS(t)
			aws.repos["acme/web"], aws.denied = test.exists, test.denied
			c := registry.New(registry.Options{AWS: registry.AWS{Endpoint: aws.url}})
			err := c.Ensure(t.Context(), ecrRegistry+"/acme/web")
			if test.fail {
				var f *registry.AWSFault
				if !errors.As(err, &f) || !strings.Contains(f.Hint(), "ecr:CreateRepository") {
					t.Errorf("Ensure() = %v, want a fault that names the right", err)
				}
			} else if err != nil || c.Ensure(t.Context(), ecrRegistry+"/acme/web") != nil { // the second is free
				t.Errorf("Ensure() = %v", err)
			}
			if got := aws.asked(); got != test.asked {
				t.Errorf("AWS was asked for %s, want %s", got, test.asked)
			}
		})
	}
}

func TestEnsureElsewhereDoesNothing(t *testing.T) {
	r := regtest.New(t)
	for _, repo := range []registry.Repository{repository(r, webRepo), "ghcr.io/acme/web"} {
		if err := newClient(t).Ensure(t.Context(), repo); err != nil {
			t.Errorf("Ensure(%s) = %v", repo, err)
		}
	}
	r.Budget(t, regtest.Budget{})
}

func TestECRTokenIsKeptUntilNearExpiry(t *testing.T) {
	aws := newAWS(t)
	now := time.Unix(1_700_000_000, 0)
	aws.lasts = now.Add(12 * time.Hour)
	c := registry.New(registry.Options{Now: func() time.Time { return now }, AWS: registry.AWS{Endpoint: aws.url}})
	for _, step := range []struct {
		host, password string
		later          time.Duration
	}{
		{ecrRegistry, "password-1", 0},
		{ecrRegistry + "/acme/web", "password-1", 11 * time.Hour},
		{ecrRegistry, "password-2", 50 * time.Minute},
		{"210987654321" + ecrRegistry[12:], "password-3", 0}, // another account
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "password-4", 0},
		{"public.ecr.aws/acme/web", "password-5", 0},
	} {
		now = now.Add(step.later)
		got, err := c.Credential(t.Context(), step.host)
		want := registry.Credential{Username: "AWS", Password: step.password, Source: "ECR (AWS default credentials)"}
		if err != nil || got != want {
			t.Errorf("Credential(%s) = %v, %v, want %v", step.host, got, err, want)
		}
		aws.lasts = now.Add(12 * time.Hour)
	}
}

func TestPublicECRRepository(t *testing.T) {
	aws := newAWS(t)
	c := registry.New(registry.Options{AWS: registry.AWS{Endpoint: aws.url}})
	if err := c.Ensure(t.Context(), "public.ecr.aws/alias/acme/web"); err != nil || !aws.has("acme/web") {
		t.Errorf("Ensure() = %v, made %v", err, aws.repos)
	}
}

func TestECRWithoutAWSCredentials(t *testing.T) {
	noAmbientAWS(t)
	setenv(t, "AWS_ACCESS_KEY_ID", "")
	setenv(t, "AWS_SECRET_ACCESS_KEY", "")
	setenv(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	setenv(t, "AWS_WEB_IDENTITY_TOKEN_FILE", "")
	c := registry.New(registry.Options{})
	_, err := c.Credential(t.Context(), ecrRegistry)
	var f *registry.AWSFault
	if !errors.As(err, &f) || !strings.Contains(f.Hint(), "AWS_PROFILE") {
		t.Errorf("Credential() = %v, want a fault with a hint", err)
	}
	if got, err := c.Credential(t.Context(), "public.ecr.aws"); err != nil || got.Source != "none" {
		t.Errorf("Credential(public.ecr.aws) = %v, %v, want none", got, err)
	}
}

// A repository that was there, and is deleted while the client runs, is made again.
func TestECRRepositoryVanishes(t *testing.T) {
	aws := newAWS(t)
	r, way := ecrDouble(t, "password-2") // the second call to AWS
	r.Inject(regtest.Rule{Path: "/acme/", Do: aws.refuseUnmade})
	c := registry.New(registry.Options{Transport: way, Retry: patient(), AWS: registry.AWS{Endpoint: aws.url}})
	repo := registry.Repository(ecrRegistry + "/acme/web")
	if err := c.Ensure(t.Context(), repo); err != nil {
		t.Fatal(err)
	}
	aws.mu.Lock()
	delete(aws.repos, "acme/web")
	aws.mu.Unlock()
	push(t, c, repo, "v1", newImage(t, "{}"))
	if got, want := aws.asked(), "CreateRepository GetAuthorizationToken CreateRepository"; got != want {
		t.Errorf("AWS was asked for %s, want %s", got, want)
	}
}
