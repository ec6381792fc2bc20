#!/usr/bin/env bash
# The benchmark of the solvers, about two hours on two cores: scripts/benchmark/RESULTS.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh

# The contenders' packages lie on top of .venv, which stays as requirements.lock has it.
extra=scripts/benchmark/data/venv
pinned=$(cat requirements.lock scripts/benchmark/requirements.txt | sha256sum)
if [ "$(cat "$extra/.stamp" 2>/dev/null || true)" != "$pinned" ]; then
    .venv/bin/python -m venv --clear --without-pip "$extra"
    below=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    above=$("$extra/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "import site; site.addsitedir('$below')" >"$above/below.pth"
    if .venv/bin/uv pip install --quiet --no-deps --python "$extra/bin/python" -r scripts/benchmark/requirements.txt; then
        echo "$pinned" >"$extra/.stamp"
    fi
fi
exec "$extra/bin/python" scripts/benchmark/benchmark.py "$@"
