#!/bin/sh
# Installs what the tests use, as root on Debian or Ubuntu. Elsewhere it says what is missing and leaves it to the tests
# to skip, by name, what cannot run.
set -eu

# The race detector needs a C compiler; PostgreSQL is the second database; freeciv-server is a real game; OpenSSH's sftp, lftp, rclone and sshfs
# are real clients; protoc generates the agent's wire contract. containerd with what it needs runs real containers, busybox is in their images, and
# teeworlds-server is a game that speaks UDP.
packages='busybox-static bzip2 ca-certificates containerd containernetworking-plugins freeciv-server gcc git iptables libarchive-tools libc6-dev lftp openssh-client
postgresql procps protobuf-compiler rclone runc sshfs teeworlds-server'

if ! command -v dpkg-query >/dev/null; then
	echo "Not a Debian system: tests that need one of these are skipped when it is missing: $packages"
	exit 0
fi

# Clients in JavaScript are run by whichever Node.js is there.
command -v node >/dev/null && command -v npm >/dev/null || packages="$packages nodejs npm"

missing=
for package in $packages; do
	status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
	test "$status" = installed || missing="$missing $package"
done
test -n "$missing" || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "Not root: tests that need one of these are skipped. To install them: sudo apt-get install$missing"
	exit 0
fi

echo "Installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word per package
if ! { apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "The packages could not be installed:$missing" >&2
	exit 1
fi
