"""What a run needs of this machine, asked without importing Spark: Python, Java, and the Spark that is installed."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from segmentation.errors import SetupError

SPARK_MINOR = "4.2"
PYTHONS = ((3, 11), (3, 14))
_JAVA = 17
_WAYS = "pip install 'customer-segmentation[local]', or spark-submit of a platform that has it"


def check_python() -> None:
    """Refuse another Python than those the project is tested with.

    Raises
    ------
    SetupError
        If it is older or newer.
    """
    first, last = PYTHONS
    if not first <= sys.version_info[:2] <= last:
        raise SetupError("Python", expected="{}.{} to {}.{}".format(*first, *last), found=sys.version.split()[0])


def check_pyspark() -> str:
    """Return the version of the PySpark that an import would find, whose JARs need not be those of a cluster.

    Raises
    ------
    SetupError
        If there is none, or one of another minor version.
    """
    found = _pyspark_version()
    if found is None:
        raise SetupError("pyspark", expected=f"{SPARK_MINOR}; {_WAYS}", found="none")
    if not found.startswith(SPARK_MINOR + "."):
        raise SetupError("pyspark", expected=f"{SPARK_MINOR}; {_WAYS}", found=found)
    return found


def _pyspark_version() -> str | None:
    """Read the version from the package's own file: a platform's PySpark is on the path without being installed."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None:
        return None
    told = [Path(place, "version.py") for place in spec.submodule_search_locations or ()]
    for file in told:
        version = re.search(r'__version__\W.*?"([^"]+)"', file.read_text()) if file.is_file() else None
        if version:
            return version.group(1)
    try:
        return importlib.metadata.version("pyspark")
    except importlib.metadata.PackageNotFoundError:
        import pyspark  # within an archive

        return str(pyspark.__version__)


def check_java() -> str:
    """Return the version of Java that Spark needs at least, once one is there.

    Raises
    ------
    SetupError
        If there is none, or an older one.
    """
    expected = f"{_JAVA} or newer; install a JDK or set JAVA_HOME"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise SetupError("Java", expected=expected, found=f"none under JAVA_HOME={home}" if home else "none on PATH")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if version is None or int(version.group(1)) < _JAVA:
        found = version.group(1) if version else "no version"
        raise SetupError("Java", expected=expected, found=f"{found} ({java})")
    return str(_JAVA)
