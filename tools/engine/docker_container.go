package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"

	"slipway/tools/internal/retry"
)

// defaultBuildKitImage is the official image of the BuildKit whose client is used here.
const defaultBuildKitImage = "docker.io/moby/buildkit:v0.33.1@sha256:cec9f139f45e93c5c69c60f8b07cfad9f43f4ef6b6a6cd917527fea5ff2e3dea"

// builderVersion is part of a container's name: raise it with every change of
// how the container is made, so that an older one is not taken for it.
const builderVersion = "1"

// dockerBuilder is a BuildKit container on an Engine. It is found by its name,
// made when it is not there, and kept: its volume is the cache of the next run.
type dockerBuilder struct {
	api         *dockerAPI
	engine      string // the Engine's version, for people
	name        string
	image       string // "docker.io/moby/buildkit@sha256:...": what is run
	host        string // "docker.io": where the image is pulled from
	timeout     time.Duration
	credentials func(ctx context.Context, host string) (user, password string, err error)
}

func newDockerBuilder(api *dockerAPI, info engineInfo, o Options) (*dockerBuilder, error) {
	image := o.BuildKitImage
	if image == "" {
		image = defaultBuildKitImage
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, fmt.Errorf("reading the name of the BuildKit image %q: %w", image, err)
	}
	exact := exactImage(named)
	sum := sha256.Sum256([]byte(builderVersion + " " + exact))
	return &dockerBuilder{
		api:         api,
		engine:      info.ServerVersion,
		name:        "slipway-buildkit-" + hex.EncodeToString(sum[:6]),
		image:       exact,
		host:        reference.Domain(named),
		timeout:     o.DialTimeout,
		credentials: o.Credentials,
	}, nil
}

// exactImage leaves out a tag beside a digest: not all Engines take both.
func exactImage(named reference.Named) string {
	digested, ok := named.(reference.Digested)
	if !ok {
		return reference.TagNameOnly(named).String()
	}
	return named.Name() + "@" + digested.Digest().String()
}

// open makes sure that the container runs and answers.
func (b *dockerBuilder) open(ctx context.Context) (*endpoint, error) {
	if err := b.ensure(ctx); err != nil {
		return nil, fmt.Errorf("starting the BuildKit container %s: %w", b.name, err)
	}
	e := &endpoint{
		name: fmt.Sprintf("BuildKit container %s on Docker Engine %s at %s", b.name, b.engine, b.api.address),
		opts: []client.ClientOpt{client.WithContextDialer(b.dial)},
	}
	if err := b.ready(ctx, e); err != nil {
		return nil, err
	}
	return e, nil
}

// ensure starts the container, after making it where there is none. Another run
// may do the same at any moment: while it makes the container, the name is taken
// but there is nothing to start yet.
func (b *dockerBuilder) ensure(ctx context.Context) error {
	const attempts, base = 9, 100 * time.Millisecond // some twenty seconds in all
	return retry.Policy{Attempts: attempts, Base: base}.Do(ctx, func(ctx context.Context) error {
		err := b.start(ctx)
		if dockerStatus(err) != http.StatusNotFound {
			return err
		}
		if err := b.create(ctx); err != nil {
			return err
		}
		err = b.start(ctx)
		if dockerStatus(err) == http.StatusNotFound {
			return retry.Again(err)
		}
		return err
	})
}

// start is also right for a container that runs: the Engine answers 304.
func (b *dockerBuilder) start(ctx context.Context) error {
	return b.api.post(ctx, "/containers/"+b.name+"/start", nil, struct{}{}, nil)
}

// create makes the container, pulling its image where the Engine has none.
func (b *dockerBuilder) create(ctx context.Context) error {
	err := b.createOnce(ctx)
	if dockerStatus(err) == http.StatusNotFound {
		if err := b.pull(ctx); err != nil {
			return err
		}
		err = b.createOnce(ctx)
	}
	if dockerStatus(err) == http.StatusConflict {
		return nil // another run made it
	}
	return err
}

func (b *dockerBuilder) createOnce(ctx context.Context) error {
	return b.api.post(ctx, "/containers/create", url.Values{"name": {b.name}}, b.spec(), nil)
}

// mount is a volume of a container.
type mount struct{ Type, Source, Target string }

// hostConfig is the part of a container that concerns its machine.
type hostConfig struct {
	Privileged  bool
	Init        bool
	UsernsMode  string
	NetworkMode string
	Mounts      []mount
}

// containerSpec is the body of POST /containers/create.
type containerSpec struct {
	Image      string
	Cmd        []string
	Labels     map[string]string
	HostConfig hostConfig
}

func (b *dockerBuilder) spec() containerSpec {
	return containerSpec{
		Image:  b.image,
		Cmd:    []string{"--allow-insecure-entitlement=network.host"},
		Labels: map[string]string{"slipway.buildkit": builderVersion},
		HostConfig: hostConfig{
			Privileged:  true, // it mounts, and runs containers itself
			Init:        true, // reaps what a build's processes leave behind
			UsernsMode:  "host",
			NetworkMode: "host", // a registry on loopback is the machine's
			Mounts:      []mount{{Type: "volume", Source: b.name, Target: "/var/lib/buildkit"}},
		},
	}
}

// pull lets the Engine fetch the image. The answer is good from its first byte
// on: what went wrong stands in its last lines.
func (b *dockerBuilder) pull(ctx context.Context) error {
	r := b.api.request(http.MethodPost, "/images/create", url.Values{"fromImage": {b.image}}, nil)
	auth, err := b.registryAuth(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("X-Registry-Auth", auth)
	body, err := b.api.open(ctx, r)
	if err == nil {
		defer body.Close() //nolint:errcheck // read only
		err = b.pullOutcome(r, body)
	}
	var f *dockerFault
	if errors.As(err, &f) && f.err == nil {
		f.hint = "the Engine neither has the image " + b.image + " nor can it pull it: load it there, or name another BuildKit image"
	}
	return err
}

func (b *dockerBuilder) pullOutcome(r *http.Request, body io.Reader) error {
	for lines := json.NewDecoder(body); ; {
		var line struct{ Error string }
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return b.api.fault(r, fmt.Errorf("reading the answer: %w", err))
		case line.Error != "":
			f := b.api.fault(r, nil)
			f.status, f.message = http.StatusOK, line.Error
			return f
		}
	}
}

func (b *dockerBuilder) registryAuth(ctx context.Context) (string, error) {
	var login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if b.credentials != nil {
		var err error
		if login.Username, login.Password, err = b.credentials(ctx, b.host); err != nil {
			return "", fmt.Errorf("finding credentials for %s: %w", b.host, err)
		}
	}
	body, err := json.Marshal(login)
	return base64.URLEncoding.EncodeToString(body), err
}

// ready waits until BuildKit answers, or until its container ended.
func (b *dockerBuilder) ready(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(b.ended(ctx)) }()
	c, err := e.dial(ctx, b.timeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// ended returns when the container has ended, saying why as well as is known.
func (b *dockerBuilder) ended(ctx context.Context) error {
	var end struct{ StatusCode int }
	if err := b.api.post(ctx, "/containers/"+b.name+"/wait", nil, struct{}{}, &end); err != nil {
		return err
	}
	return fmt.Errorf("the container %s ended with code %d: %s", b.name, end.StatusCode, b.lastWords(ctx))
}

// lastWords are the last lines that the container logged.
func (b *dockerBuilder) lastWords(ctx context.Context) string {
	query := url.Values{"stdout": {"1"}, "stderr": {"1"}, "tail": {"5"}}
	body, err := b.api.open(ctx, b.api.request(http.MethodGet, "/containers/"+b.name+"/logs", query, nil))
	if err != nil {
		return err.Error()
	}
	defer body.Close() //nolint:errcheck // read only
	log := &frames{reader: body}
	out, _ := io.ReadAll(log) // what could be read is all that can be told
	return strings.TrimSpace(string(out) + log.stderr.String())
}

// dial opens a stream to the buildkitd in the container, through the Engine's
// API rather than the docker program: the one socket that the Engine was found
// by is all that is needed, with the same address, TLS and ssh.
func (b *dockerBuilder) dial(ctx context.Context, _ string) (net.Conn, error) {
	command := struct {
		AttachStdin, AttachStdout, AttachStderr bool
		Cmd                                     []string
	}{true, true, true, []string{"buildctl", "dial-stdio"}}
	var exec struct{ ID string }
	if err := b.api.post(ctx, "/containers/"+b.name+"/exec", nil, command, &exec); err != nil {
		return nil, err
	}
	conn, err := b.api.hijack(ctx, "/exec/"+exec.ID+"/start", "tcp", []byte(`{"Detach":false,"Tty":false}`))
	if err != nil {
		return nil, err
	}
	return &hijacked{Conn: conn, reader: &frames{reader: conn}}, nil
}
