package servers

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestDocker(t *testing.T) {
	needsServers(t)
	for name, start := range map[string]func(testing.TB) *Docker{"old": OldDocker, "new": NewDocker} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkPing(t, strings.TrimPrefix(start(t).Host, "unix://"))
		})
	}
}

func checkPing(t *testing.T, socket string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Errorf("ping: %s", response.Status)
	}
}
