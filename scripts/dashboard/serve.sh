#!/usr/bin/env bash
# Serves the dashboard that make_database.py wrote to FOLDER on this machine only, by a Superset whose own tables are one SQLite
# file there; made at the first call. SUPERSET is the program, by default the one on PATH.
# Usage: [SUPERSET=…] [PORT=8088] [ADMIN_PASSWORD=…] scripts/dashboard/serve.sh FOLDER
set -euo pipefail
folder=$(cd "${1:?usage: serve.sh FOLDER, which make_database.py wrote}" && pwd)
superset=${SUPERSET:-superset}
command -v "$superset" >/dev/null || { echo "serve: expected Superset on PATH or in SUPERSET, found none; see docs/deploy/dashboard.md" >&2; exit 7; }
[ -f "$folder/dashboard.zip" ] || { echo "serve: $folder: expected dashboard.zip, found none; run make_database.py" >&2; exit 4; }

umask 077
export SUPERSET_HOME="$folder" FLASK_APP=superset
export SUPERSET_CONFIG_PATH="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/superset_config.py"
[ -f "$folder/secret_key" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/secret_key"
export SUPERSET_SECRET_KEY=$(cat "$folder/secret_key")

"$superset" db upgrade >"$folder/setup.log" 2>&1 || { tail -n 20 "$folder/setup.log" >&2; exit 1; }
if [ ! -f "$folder/is_set_up" ]; then
    password=${ADMIN_PASSWORD:-$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')}
    {
        "$superset" fab create-admin --username admin --firstname Ad --lastname Min --email admin@example.org --password "$password"
        "$superset" init
    } >>"$folder/setup.log" 2>&1 || { tail -n 20 "$folder/setup.log" >&2; exit 1; }
    touch "$folder/is_set_up"
    [ -n "${ADMIN_PASSWORD:-}" ] || echo "user admin, password $password"
fi
"$superset" import-dashboards --path "$folder/dashboard.zip" --username admin >>"$folder/setup.log" 2>&1 \
    || { tail -n 20 "$folder/setup.log" >&2; exit 1; }
echo "http://127.0.0.1:${PORT:-8088}/superset/dashboard/customer-segments/"
exec "$superset" run --host 127.0.0.1 --port "${PORT:-8088}" --with-threads >"$folder/server.log" 2>&1
