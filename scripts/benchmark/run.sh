#!/usr/bin/env bash
# The benchmark of the solvers, about an hour and a half on two cores: scripts/benchmark/RESULTS.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh
exec .venv/bin/python scripts/benchmark/benchmark.py "$@"
