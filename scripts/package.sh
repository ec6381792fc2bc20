#!/usr/bin/env bash
# Builds what a cluster is given into dist/, or the folder named: a wheel, the package as a zip for --py-files, the Python packages
# that it needs for --archives, and Delta's JARs for --jars. See docs/deploy/index.md.
set -euo pipefail
place=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf "$place"/*.whl "$place"/segmentation.zip "$place"/environment.tar.gz "$place"/jars
uv build --quiet --wheel --no-build-isolation --out-dir "$place" .
(cd "$work" && python -m zipfile -e "$place"/customer_segmentation-*.whl unpacked)
(cd "$work/unpacked" && python -m zipfile -c "$place/segmentation.zip" segmentation)

# The core alone: Spark is the cluster's. The nodes need the Python that the packages are made for, at the path it has here.
uv venv --quiet --python "$(python -c 'import sys; print(sys._base_executable)')" "$work/environment"
uv pip install --quiet --python "$work/environment/bin/python" --constraints requirements.lock -r pyproject.toml
venv-pack --quiet --prefix "$work/environment" --compress-level "${COMPRESS_LEVEL:-6}" --output "$place/environment.tar.gz"

python - "$place/jars" <<'PY'
import shutil
import sys
from pathlib import Path

from segmentation.warehouse.session import known_jars, open_session

if not all(jar.is_file() for jar in known_jars()):
    open_session()[0].stop()  # which fetches them
Path(sys.argv[1]).mkdir()
for jar in known_jars():
    shutil.copy(jar, sys.argv[1])
PY
ls -sh "$place" "$place/jars"
