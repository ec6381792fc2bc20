#!/usr/bin/env bash
# Sets everything up and runs every check: format, lint, types, imports, tests. Options go to pytest.
# Before them, --deploy also starts a cluster, servers and services (tests/deploy); --all does so, and kills a run before each of
# its writes by both writers: an hour and a half on two cores.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
which=()
case "${1:-}" in
    --all | --deploy) asked=$1 && shift ;;
    *) asked= && which=(--ignore tests/deploy) ;;
esac
if [ -n "$asked" ]; then
    uv pip install --quiet --editable '.[cluster]'
fi
ruff format --check .
ruff check .
mypy
lint-imports
# A process per core and a file of tests at a time; each process has one SparkSession.
# The longest files come first, as tests/conftest.py orders them; those of most tests are not the longest.
pytest -n "${TEST_PROCESSES:-2}" --dist loadfile --no-loadscope-reorder "${which[@]}" "$@"
if [ "$asked" = --all ]; then
    python scripts/faults.py --writer delta-rs
    python scripts/faults.py --writer spark
    python scripts/faults.py --command score --writer delta-rs
fi
