#!/bin/sh
# Fails when the generated code is not what the generators write. It compares the files before and after, not with git,
# so that other changes in the tree do not matter.
set -eu
cd "$(dirname "$0")/.."

state() {
	find agent/protocol ent graph gqlgen.yml schema -type f 2>/dev/null | LC_ALL=C sort | xargs sha256sum
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
state >"$scratch/before"
${MAKE:-make} --no-print-directory generate
state >"$scratch/after"

if ! diff "$scratch/before" "$scratch/after" >"$scratch/diff"; then
	echo 'Generated code was not up to date. It is now; commit these files:' >&2
	sed -n 's/^[<>] [0-9a-f]*  /  /p' "$scratch/diff" | sort -u >&2
	exit 1
fi
