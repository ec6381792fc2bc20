#!/usr/bin/env bash
# Sets everything up and runs every check: format, lint, types, imports, tests. Options go to pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
ruff format --check .
ruff check .
mypy
lint-imports
# A process per core and a file of tests at a time; each process has one SparkSession.
exec pytest -n "${TEST_PROCESSES:-2}" --dist loadfile "$@"
