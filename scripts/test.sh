#!/usr/bin/env bash
# Sets everything up and runs every check: format, lint, types, import floors, tests. Options go to pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
ruff format --check .
ruff check .
mypy
lint-imports
exec pytest "$@"
