#!/bin/sh
# Runs a command with CATALYST_TEST_POSTGRES_URL naming an empty PostgreSQL database: the one that is set already, or one
# of a private cluster that is gone afterwards.
set -eu

if [ -n "${CATALYST_TEST_POSTGRES_URL:-}" ]; then
	exec "$@"
fi

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$bin" ]; then
	echo 'PostgreSQL is needed: install the package postgresql, or set CATALYST_TEST_POSTGRES_URL.' >&2
	exit 1
fi

scratch=$(mktemp -d)
as_postgres=
if [ "$(id -u)" -eq 0 ]; then
	chown postgres "$scratch"
	as_postgres='runuser -u postgres --'
fi
trap '$as_postgres "$bin/pg_ctl" -D "$scratch/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

cd "$scratch"
$as_postgres "$bin/initdb" -D "$scratch/data" -U catalyst --auth=trust -E UTF8 --locale=C >"$scratch/log" 2>&1 ||
	{ cat "$scratch/log" >&2; exit 1; }
$as_postgres "$bin/pg_ctl" -D "$scratch/data" -w -l "$scratch/data/log" \
	-o "-c listen_addresses= -k $scratch -c fsync=off" start >/dev/null
$as_postgres "$bin/createdb" -h "$scratch" -U catalyst scratch
cd "$OLDPWD"

CATALYST_TEST_POSTGRES_URL="postgres://catalyst@/scratch?host=$scratch&sslmode=disable" "$@"
