package engine

import (
	"context"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// credentialsFunc is [Options.Credentials].
type credentialsFunc func(ctx context.Context, host string) (user, password string, err error)

// dockerHub is the name under which credentials are asked for, whichever of
// Docker Hub's hosts BuildKit talks to.
const dockerHub = "docker.io"

// authServer answers the daemon when a registry wants credentials. They go over
// the session's connection and stay in memory there.
type authServer struct {
	auth.UnimplementedAuthServer
	credentials credentialsFunc
}

// Register makes authServer a part of a BuildKit session.
func (a authServer) Register(s *grpc.Server) { auth.RegisterAuthServer(s, a) }

// Credentials answers for one host.
func (a authServer) Credentials(ctx context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	if a.credentials == nil {
		return &auth.CredentialsResponse{}, nil
	}
	host := r.Host
	if host == "registry-1.docker.io" || host == "index.docker.io" {
		host = dockerHub
	}
	user, password, err := a.credentials(ctx, host)
	return &auth.CredentialsResponse{Username: user, Secret: password}, err
}
