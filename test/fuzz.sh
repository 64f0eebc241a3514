#!/bin/sh
# Runs every fuzz target of the repository for a while each: go test takes one at a time.
set -eu
cd "$(dirname "$0")/.."

grep -rn --include='*_test.go' '^func Fuzz' agent graph internal sftpd test 2>/dev/null |
	sed -E 's/^([^:]*)\/[^/:]*:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' |
	while read -r package target; do
		echo "== $package $target"
		"${GO:-go}" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "./$package" </dev/null
	done
