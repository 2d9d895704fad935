package records_test

import (
	"net/http"

	"slipway/tools/internal/testkit/regtest"
)

// afterwards lets the registry do its work, then calls do before it answers.
func afterwards(do func()) regtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer do()
			next.ServeHTTP(w, r)
		})
	}
}
