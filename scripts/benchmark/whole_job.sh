#!/usr/bin/env bash
# What whole runs cost, about an hour on two cores, with --growth another: scripts/benchmark/WHOLE_JOB.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh
PATH="$PWD/.venv/bin:$PATH" exec .venv/bin/python scripts/benchmark/whole_job.py "$@"
