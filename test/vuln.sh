#!/bin/sh
# Looks for known vulnerabilities in what the code calls. Without a way to their database it says so and succeeds.
set -eu
cd "$(dirname "$0")/.."

database=${GOVULNDB:-https://vuln.go.dev}
reachable() {
	case $database in
	file://*) return 0 ;;
	esac
	if command -v curl >/dev/null; then
		curl --silent --fail --max-time 10 --output /dev/null "$database/index/db.json"
	else
		host=${database#*://}
		timeout 10 bash -c "exec 3<>/dev/tcp/${host%%/*}/443" 2>/dev/null
	fi
}

if ! reachable; then
	echo "SKIPPED: govulncheck, since $database cannot be reached from here."
	exit 0
fi
${MAKE:-make} --no-print-directory "$GOVULNCHECK"
"$GOVULNCHECK" ./...
