package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	publictypes "github.com/aws/aws-sdk-go-v2/service/ecrpublic/types"
)

// AWS says how to reach AWS's own API for ECR. The zero value uses the SDK's default
// credentials and endpoints.
type AWS struct {
	Profile  string // of the shared configuration
	Endpoint string // of a stand-in for AWS, e.g. "http://127.0.0.1:4566"
}

// ecrHost is what the host of an ECR registry tells.
type ecrHost struct {
	account, region string
	fips, public    bool
}

const (
	publicECR       = "public.ecr.aws"
	publicECRRegion = "us-east-1" // the only one with its API
	ecrForm         = `^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com|amazonaws\.com\.cn|on\.aws|on\.amazonwebservices\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)$`
)

// parseECR reads hosts like "123456789012.dkr.ecr.eu-central-1.amazonaws.com".
func parseECR(host string) (ecrHost, bool) {
	if host == publicECR {
		return ecrHost{region: publicECRRegion, public: true}, true
	}
	m := regexp.MustCompile(ecrForm).FindStringSubmatch(host)
	if m == nil {
		return ecrHost{}, false
	}
	return ecrHost{account: m[1], fips: m[2] != "", region: m[3]}, true
}

// ecrAPI is AWS's API for ECR: tokens, and repositories on demand.
type ecrAPI struct {
	options AWS
	now     func() time.Time

	mu     sync.Mutex
	tokens map[ecrHost]*ecrToken
	made   map[Repository]bool
}

type ecrToken struct {
	turn       turn
	credential Credential
	expires    time.Time
}

// nearExpiry is how long a token must still be good for to be used.
const nearExpiry = 15 * time.Minute

func newECR(o AWS, now func() time.Time) *ecrAPI {
	return &ecrAPI{options: o, now: now, tokens: map[ecrHost]*ecrToken{}, made: map[Repository]bool{}}
}

func (e *ecrAPI) source() string {
	if e.options.Profile != "" {
		return "ECR (AWS profile " + e.options.Profile + ")"
	}
	return "ECR (AWS default credentials)"
}

func (e *ecrAPI) token(h ecrHost) *ecrToken {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tokens[h] == nil {
		e.tokens[h] = &ecrToken{turn: newTurn()}
	}
	return e.tokens[h]
}

// credential returns the token of h's account and region, a kept one while it is good.
func (e *ecrAPI) credential(ctx context.Context, h ecrHost) (Credential, error) {
	t := e.token(h)
	if err := t.turn.take(ctx); err != nil {
		return Credential{}, err
	}
	defer t.turn.give()
	if t.credential.Source != "" && (e.now == nil || t.expires.Sub(e.now()) > nearExpiry) {
		return t.credential, nil
	}
	encoded, expires, err := e.ask(ctx, h)
	if err != nil {
		if h.public && isNoIdentity(err) {
			return Credential{Source: noCredential}, nil // it serves everybody
		}
		return Credential{}, e.fault(ctx, "asking ECR for credentials", "ecr:GetAuthorizationToken", err)
	}
	user, password, err := decodeToken(encoded)
	if err != nil {
		return Credential{}, err
	}
	t.credential = Credential{Username: user, Password: password, Source: e.source()}
	t.expires = expires
	return t.credential, nil
}

func (e *ecrAPI) ask(ctx context.Context, h ecrHost) (token string, expires time.Time, err error) {
	cfg, err := e.load(ctx, h)
	if err != nil {
		return "", expires, err
	}
	if h.public {
		out, err := e.publicClient(cfg).GetAuthorizationToken(ctx, &ecrpublic.GetAuthorizationTokenInput{})
		if err != nil || out.AuthorizationData == nil {
			return "", expires, errors.Join(err, noToken(err))
		}
		return aws.ToString(out.AuthorizationData.AuthorizationToken), aws.ToTime(out.AuthorizationData.ExpiresAt), nil
	}
	out, err := e.client(cfg, h).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil || len(out.AuthorizationData) == 0 {
		return "", expires, errors.Join(err, noToken(err))
	}
	return aws.ToString(out.AuthorizationData[0].AuthorizationToken), aws.ToTime(out.AuthorizationData[0].ExpiresAt), nil
}

func noToken(err error) error {
	if err != nil {
		return nil
	}
	return errors.New("the answer holds no token")
}

func decodeToken(encoded string) (user, password string, err error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok {
		return "", "", errors.New("reading ECR's credentials: not of the form user:password")
	}
	return user, password, nil
}

// identityError is AWS credentials that could not be found at all.
type identityError struct{ err error }

func (e identityError) Error() string { return e.err.Error() }
func (e identityError) Unwrap() error { return e.err }

func isNoIdentity(err error) bool {
	var missing identityError
	return errors.As(err, &missing)
}

// load reads the SDK's configuration, and finds out early whether there is an identity.
func (e *ecrAPI) load(ctx context.Context, h ecrHost) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRegion(h.region)}
	if e.options.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(e.options.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, identityError{err}
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, identityError{err}
	}
	return cfg, nil
}

func (e *ecrAPI) client(cfg aws.Config, h ecrHost) *ecr.Client {
	return ecr.NewFromConfig(cfg, func(o *ecr.Options) {
		if e.options.Endpoint != "" {
			o.BaseEndpoint = &e.options.Endpoint
		} else if h.fips {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
	})
}

func (e *ecrAPI) publicClient(cfg aws.Config) *ecrpublic.Client {
	return ecrpublic.NewFromConfig(cfg, func(o *ecrpublic.Options) {
		if e.options.Endpoint != "" {
			o.BaseEndpoint = &e.options.Endpoint
		}
	})
}

// Ensure makes the repository where it must exist before a push (ECR); elsewhere it
// does nothing. It costs one request for each repository and client, none to a
// registry's own endpoint: creating at once is as dear as asking first, and who may
// only look is asked to look.
func (c *Client) Ensure(ctx context.Context, repo Repository) error {
	parsed, err := c.parse(repo)
	if err != nil {
		return err
	}
	host, ok := parseECR(parsed.RegistryStr())
	if !ok || c.ecr.isMade(repo) {
		return nil
	}
	if err := c.ecr.ensure(ctx, host, parsed.RepositoryStr()); err != nil {
		return err
	}
	c.ecr.noteMade(repo)
	return nil
}

// withRepository does a push, and again after making the repository where the registry
// says that it is unknown.
func (c *Client) withRepository(ctx context.Context, repo Repository, do func() error) error {
	err := do()
	var f *Fault
	if !errors.As(err, &f) || f.Status != http.StatusNotFound || !f.has("NAME_UNKNOWN") {
		return err
	}
	if _, ok := parseECR(f.host); !ok {
		return err
	}
	c.ecr.forget(repo)
	if err := c.Ensure(ctx, repo); err != nil {
		return err
	}
	return do()
}

func (e *ecrAPI) isMade(r Repository) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made[r]
}

func (e *ecrAPI) noteMade(r Repository) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made[r] = true
}

func (e *ecrAPI) forget(r Repository) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.made, r)
}

func (e *ecrAPI) ensure(ctx context.Context, h ecrHost, name string) error {
	cfg, err := e.load(ctx, h)
	if err == nil {
		err = e.create(ctx, cfg, h, name)
	}
	if err != nil {
		return e.fault(ctx, "making ECR repository "+name, "ecr:CreateRepository", err)
	}
	return nil
}

func (e *ecrAPI) create(ctx context.Context, cfg aws.Config, h ecrHost, name string) error {
	if h.public {
		_, short, _ := strings.Cut(name, "/") // the alias comes first
		_, err := e.publicClient(cfg).CreateRepository(ctx, &ecrpublic.CreateRepositoryInput{RepositoryName: &short})
		var exists *publictypes.RepositoryAlreadyExistsException
		if errors.As(err, &exists) {
			return nil
		}
		return err
	}
	client := e.client(cfg, h)
	_, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RegistryId: &h.account, RepositoryName: &name})
	var exists *ecrtypes.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return nil
	}
	if !isCode(err, "AccessDeniedException") {
		return err
	}
	_, lookErr := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: &h.account, RepositoryNames: []string{name}})
	if lookErr == nil {
		return nil
	}
	return err
}

func isCode(err error, code string) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && coded.ErrorCode() == code
}

// AWSFault is a call to AWS that went wrong.
type AWSFault struct {
	Doing  string // "asking ECR for credentials"
	Action string // "ecr:GetAuthorizationToken"
	Source string // of the AWS credentials
	err    error
}

func (e *ecrAPI) fault(ctx context.Context, doing, action string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &AWSFault{Doing: doing, Action: action, Source: e.source(), err: err}
}

func (f *AWSFault) Error() string {
	return fmt.Sprintf("%s: %v (credentials: %s)", f.Doing, f.err, f.Source)
}

// Unwrap returns the SDK's error.
func (f *AWSFault) Unwrap() error { return f.err }

// Temporary reports whether AWS throttled, even after the SDK's retries.
func (f *AWSFault) Temporary() bool {
	return awsretry.IsErrorThrottles(awsretry.DefaultThrottles).IsErrorThrottle(f.err) == aws.TrueTernary
}

// Hint says what a person can do about it, or nothing.
func (f *AWSFault) Hint() string {
	switch {
	case isNoIdentity(f.err):
		return "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
	case isCode(f.err, "AccessDeniedException"):
		return "give the AWS identity the right to " + f.Action
	}
	return ""
}
