#!/usr/bin/env bash
# Sets everything up and runs every check: format, lint, types, imports, tests. Options go to pytest.
# --all, before them, kills a run before each of its writes as well, by both writers: an hour on two cores.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
all=
if [ "${1:-}" = --all ]; then
    all=yes
    shift
fi
ruff format --check .
ruff check .
mypy
lint-imports
# A process per core and a file of tests at a time; each process has one SparkSession.
pytest -n "${TEST_PROCESSES:-2}" --dist loadfile "$@"
if [ -n "$all" ]; then
    python scripts/faults.py --writer delta-rs
    python scripts/faults.py --writer spark
fi
