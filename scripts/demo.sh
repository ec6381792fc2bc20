#!/usr/bin/env bash
# Sets everything up and segments the households of The Complete Journey. Options go to `segmentation run`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec segmentation run --config conf/complete_journey.yaml "$@"
