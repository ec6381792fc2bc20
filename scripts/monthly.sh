#!/usr/bin/env bash
# The Complete Journey month by month: a model of the first months, then every later month scored with it, with its verdict.
# Usage: scripts/monthly.sh [FIRST [LAST]]: months of 2017 by number, 6 and 12 by default. See docs/monthly.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
first=${1:-6} last=${2:-12}
config=conf/complete_journey.yaml warehouse=warehouse/monthly
day_after() { date -d "2017-01-01 +$1 month" +%F; } # the first day that month $1 does not see

segmentation run --config "$config" --warehouse "$warehouse" --as-of "$(day_after "$first")" --run-id "month-$first"
segmentation promote --config "$config" --warehouse "$warehouse" --run-id "month-$first"
for month in $(seq $((first + 1)) "$last"); do
    code=0
    segmentation score --config "$config" --warehouse "$warehouse" --as-of "$(day_after "$month")" \
        --run-id "month-$month" --exit-on-drift || code=$?
    case $code in
        0 | 10 | 11 | 12) echo "month $month: exit code $code" ;;
        *) exit "$code" ;;
    esac
done
