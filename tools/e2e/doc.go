// Package e2e holds the end-to-end tests: the slipway program as people run it,
// on real git repositories, registries and BuildKit daemons. It has no code but
// its tests, which -short leaves out.
//
// TestHistories drives histories of commits through `build --all` and judges
// each run by an oracle of its own, which knows git and the build manifest but
// nothing of slipway; its table is docs/histories.md (-update writes it). The
// others hold the request budgets, identical digests from different machines and
// clones, plain http beyond loopback, and what is left behind when the program is
// killed at any write.
package e2e
