package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
)

// dockerEndpoint finds a BuildKit behind the Docker Engine of o: the Engine's own
// when that can export and push, a BuildKit container on the Engine when not.
// Nothing has to be closed: the Engine stays, and so does the container.
func dockerEndpoint(ctx context.Context, o Options) (*endpoint, error) {
	api, err := newDockerAPI(o.DockerHost)
	if err != nil {
		return nil, err
	}
	info, err := api.info(ctx)
	if err != nil {
		return nil, err
	}
	if info.OSType != "linux" {
		return nil, fmt.Errorf("docker engine %s builds for %s, images for linux are needed", api.address, info.OSType)
	}
	if info.exports() {
		return api.ownBuildKit(info), nil
	}
	b, err := newDockerBuilder(api, info, o)
	if err != nil {
		return nil, err
	}
	return b.open(ctx)
}

// engineInfo is what is asked of an Engine to choose how to build on it.
type engineInfo struct {
	OSType        string
	ServerVersion string
	APIVersion    string
	DriverStatus  [][2]string
}

func (d *dockerAPI) info(ctx context.Context) (engineInfo, error) {
	var info engineInfo
	if err := d.get(ctx, "/info", nil, &info); err != nil {
		return info, err
	}
	var version struct {
		APIVersion string `json:"ApiVersion"`
	}
	err := d.get(ctx, "/version", nil, &version)
	info.APIVersion = version.APIVersion
	return info, err
}

// exports says whether the Engine's own BuildKit makes the images that we make
// elsewhere. With an image store of graph drivers it has neither the image
// exporter nor the registry cache; before API 1.45 (Engine 26) its BuildKit has
// no rewrite-timestamp, without which digests differ from run to run.
func (i engineInfo) exports() bool {
	return i.containerdStore() && versionAtLeast(i.APIVersion, 1, 45)
}

func (i engineInfo) containerdStore() bool {
	for _, pair := range i.DriverStatus {
		if pair == [2]string{"driver-type", "io.containerd.snapshotter.v1"} {
			return true
		}
	}
	return false
}

// versionAtLeast compares "major.minor"; what cannot be read is too old.
func versionAtLeast(version string, major, minor int) bool {
	left, right, _ := strings.Cut(version, ".")
	a, errA := strconv.Atoi(left)
	b, errB := strconv.Atoi(right)
	return errA == nil && errB == nil && (a > major || a == major && b >= minor)
}

// ownBuildKit is the BuildKit inside the Engine. Its sessions go through the
// control API like those of any buildkitd, so /session is not needed.
func (d *dockerAPI) ownBuildKit(info engineInfo) *endpoint {
	return &endpoint{
		name: fmt.Sprintf("BuildKit of Docker Engine %s at %s", info.ServerVersion, d.address),
		opts: []client.ClientOpt{client.WithContextDialer(d.dialBuildKit)},
	}
}

// dialBuildKit opens a stream to the Engine's BuildKit. Engines to come serve it
// on the socket itself and drop the upgrade, which is the only way of today's.
func (d *dockerAPI) dialBuildKit(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := d.hijack(ctx, "/grpc", "h2c", nil)
	if dockerStatus(err) == http.StatusNotFound {
		return d.dial(ctx)
	}
	return conn, err
}
