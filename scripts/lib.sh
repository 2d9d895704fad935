# shellcheck shell=bash
# Functions shared by the scripts of this folder: where the tools are, and how
# the real servers are started on loopback and stopped again. Sourced, never run.

# runc, sshd and others live in the sbin folders, which a user's PATH may lack.
PATH=$PATH:/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin

# Seconds a server may take to answer, or to end.
SERVER_PATIENCE=30

SERVER_PIDS=()
SERVER_DIRS=()

say() { printf '%s\n' "$*" >&2; }

die() {
	say "${0##*/}: $1"
	[ $# -lt 2 ] || say "hint: $2"
	exit 1
}

tools_dir() {
	printf '%s\n' "${SLIPWAY_TOOLS:-${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/slipway/tools}"
}

tools_bin() { printf '%s/bin\n' "$(tools_dir)"; }

have() { command -v "$1" >/dev/null 2>&1; }

# wait_until WHAT PID LOG COMMAND...: asks COMMAND until it succeeds. A server
# that ended, or that does not answer in time, is an error that shows its log.
wait_until() {
	local what=$1 pid=$2 log=$3 end=$((SECONDS + SERVER_PATIENCE))
	shift 3
	until "$@" >/dev/null 2>&1; do
		if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
			tail -n 20 "$log" >&2
			die "$what did not become ready" "its log is above"
		fi
		sleep 0.1
	done
}

# start_server LOG COMMAND...: starts COMMAND in a process group of its own, so
# that the terminal's interrupt reaches it only through stop_servers, after the
# work that uses it. Its process id is in $SERVER_PID.
start_server() {
	local log=$1
	shift
	setsid "$@" >"$log" 2>&1 </dev/null &
	SERVER_PID=$!
	SERVER_PIDS+=("$SERVER_PID")
}

# server_dir: makes a short temporary folder (a unix socket's path is limited to
# 107 bytes) that stop_servers removes. It is in $SERVER_DIR.
server_dir() {
	SERVER_DIR=$(mktemp -d "${TMPDIR:-/tmp}/slipway.XXXXXX")
	SERVER_DIRS+=("$SERVER_DIR")
}

# start_registry [STORAGE]: starts distribution on a free loopback port. Its
# host:port is in $REGISTRY_HOST.
start_registry() {
	server_dir
	local log=$SERVER_DIR/registry.log storage=${1:-$SERVER_DIR/registry}
	cat >"$SERVER_DIR/registry.yml" <<-YML
		version: 0.1
		log: {level: info, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $storage}, delete: {enabled: true}}
		http: {addr: "127.0.0.1:0"}
	YML
	start_server "$log" env OTEL_TRACES_EXPORTER=none "$(tools_bin)/registry" serve "$SERVER_DIR/registry.yml"
	wait_until "the registry" "$SERVER_PID" "$log" grep -q 'listening on' "$log"
	REGISTRY_HOST=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$log" | head -n 1)
	[ -n "$REGISTRY_HOST" ] || die "the registry did not say its address"
}

# start_buildkit [ROOT]: starts buildkitd, without root by rootlesskit. Its
# address is in $BUILDKIT_HOST.
start_buildkit() {
	server_dir
	local log=$SERVER_DIR/buildkitd.log bin rootless=() flags=()
	bin=$(tools_bin)
	if [ "$(id -u)" != 0 ]; then
		rootless=(rootlesskit --net=host --state-dir="$SERVER_DIR/rootlesskit")
		flags=(--rootless --oci-worker-no-process-sandbox)
	fi
	BUILDKIT_HOST=unix://$SERVER_DIR/buildkitd.sock
	start_server "$log" "${rootless[@]}" "$bin/buildkitd" --addr "$BUILDKIT_HOST" --root "${1:-$SERVER_DIR/buildkit}" \
		--oci-worker=true --containerd-worker=false "${flags[@]}"
	wait_until "buildkitd" "$SERVER_PID" "$log" "$bin/buildctl" --addr "$BUILDKIT_HOST" debug workers
}

# stop_server PID: asks a server to end, waits, and kills its process group when
# it does not.
stop_server() {
	local pid=$1 end=$((SECONDS + SERVER_PATIENCE))
	kill -TERM "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null; do
		if [ "$SECONDS" -ge "$end" ]; then
			kill -KILL -- "-$pid" 2>/dev/null || true
			break
		fi
		sleep 0.1
	done
	wait "$pid" 2>/dev/null || true
}

# stop_servers: ends everything that start_* started and removes its folders.
stop_servers() {
	local i
	for ((i = ${#SERVER_PIDS[@]} - 1; i >= 0; i--)); do stop_server "${SERVER_PIDS[i]}"; done
	for i in "${SERVER_DIRS[@]}"; do rm -rf -- "$i"; done
	SERVER_PIDS=() SERVER_DIRS=()
}

# stop_servers_on_exit: makes sure that stop_servers runs however the script
# ends. Call it before the first start_*.
stop_servers_on_exit() {
	trap 'stop_servers' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}
