#!/usr/bin/env bash
# Makes .venv with what requirements.lock pins, hashes checked. Sourced by the other scripts; a second call is quick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*" >&2; exit 7; }

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || say "Python: expected 3.11 to 3.14 on PATH, or PYTHON=/path/to/python3; found $(python3 --version 2>&1 || true)"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
    || say "Python: expected 3.11 to 3.14, found $("$python" --version 2>&1)"
"$python" -c 'import ensurepip, venv' 2>/dev/null || say "Python: expected the venv module, found none (on Debian: apt-get install python3-venv)"

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$java" >/dev/null || say "Java: expected 17 or newer, found none; install a JDK or set JAVA_HOME"
java_version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${java_version:-0}" -ge 17 ] || say "Java: expected 17 or newer, found ${java_version:-none}; install a JDK or set JAVA_HOME"

stamp=$(cat requirements.lock pyproject.toml | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
if [ "$(cat .venv/.stamp 2>/dev/null || true)" != "$stamp" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    "$python" -m venv --clear .venv
    # uv installs the rest in seconds; its own pinned and hashed lines are cut out of the one lock file.
    uv_lines=$(mktemp)
    trap 'rm -f "$uv_lines"' EXIT
    sed -n '/^uv==/,/^    # via/p' requirements.lock | grep -v '# via' >"$uv_lines"
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$uv_lines" \
        || say "packages: expected a Python package index that can be reached, found none; check the network or pip's settings"
    .venv/bin/uv pip install --quiet --compile-bytecode --no-deps --python .venv/bin/python --require-hashes -r requirements.lock \
        || say "packages: expected every package of requirements.lock from the Python package index; check the network"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable . \
        || say "package: expected this project to install into .venv"
    # Read-only or containerised environments never cache what they compile, and then every start pays for it.
    .venv/bin/python -m compileall -q segmentation jobs
    echo "$stamp" >.venv/.stamp
fi
export PATH="$PWD/.venv/bin:$PATH"
