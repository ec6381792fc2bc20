#!/usr/bin/env bash
# The Complete Journey month by month: a model of the first months; every later month is scored with it. On the verdict refit a
# challenger with as many segments is trained on that month and promoted, on new segmentation one with any number. Ends with the
# table of keys by month of docs/monthly.md.
# Usage: scripts/monthly.sh [FIRST [LAST]]: months of 2017 by number, 1 and 12 by default; a minute or two a month.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
first=${1:-1} last=${2:-12}
mkdir -p warehouse
# The file holds the whole year: in the first months most of its lines lie after the day and are set aside.
sed 's/^cleaning:/&\n  max_set_aside_share: 0.95/' conf/complete_journey.yaml >warehouse/monthly.yaml
common=(--config warehouse/monthly.yaml --warehouse warehouse/monthly)
day_after() { date -d "2017-01-01 +$1 month" +%F; } # the first day that month $1 does not see

train() { # a month's run id, its day, and what else; a person would look at the report before they promote
    segmentation run "${common[@]}" --run-id "$1" --as-of "${@:2}"
    segmentation promote "${common[@]}" --run-id "$1"
}

train "$(printf 'month-%02d' "$first")" "$(day_after "$first")"
for month in $(seq $((first + 1)) "$last"); do
    run_id=$(printf 'month-%02d' "$month") day=$(day_after "$month") code=0
    segmentation score "${common[@]}" --as-of "$day" --run-id "$run_id" --exit-on-drift || code=$?
    case $code in
        0 | 10) ;;
        11) train "$run_id-refit" "$day" --k champion ;;
        12) train "$run_id-new" "$day" ;;
        *) exit "$code" ;;
    esac
done
python scripts/monthly_keys.py "${common[@]}"
