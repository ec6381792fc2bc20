"""HDFS on this machine, by Hadoop's own MiniDFSCluster: one name node, one data node; ``python hdfs_server.py FOLDER``.

Prints its URI and serves until it is ended. The JAR must be on the class path of Spark's JVM from its start: it is fetched first.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from pyspark.sql import SparkSession

from segmentation.warehouse.session import one_fetches

_GROUP, _NAME = "org.apache.hadoop", "hadoop-client-minicluster"
_FETCH = """
import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder.config("spark.jars.packages", sys.argv[1]).config("spark.jars.excludes", sys.argv[2]).getOrCreate().stop()
"""


def find_jar() -> Path:
    """Return the JAR of the version that Spark's own Hadoop has, fetched where it is not there."""
    import pyspark

    home = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    version = next((home / "jars").glob("hadoop-client-api-*.jar")).stem.rpartition("-")[2]
    jar = Path.home() / f".ivy2.5.2/jars/{_GROUP}_{_NAME}-{version}.jar"
    with one_fetches():
        if jar.exists():
            return jar
        others = ",".join(f"{_GROUP}:hadoop-client-{part}" for part in ("api", "runtime"))
        subprocess.run([sys.executable, "-c", _FETCH, f"{_GROUP}:{_NAME}:{version}", others], check=True, capture_output=True)
    return jar


def serve(folder: str) -> None:
    """Start the name node and the data node, say where they are, and wait."""
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.extraClassPath", str(find_jar())).getOrCreate()
    jvm = session.sparkContext._jvm
    assert jvm is not None
    settings = jvm.org.apache.hadoop.conf.Configuration()
    settings.set("hdfs.minidfs.basedir", folder)
    cluster = jvm.org.apache.hadoop.hdfs.MiniDFSCluster.Builder(settings).numDataNodes(1).build()
    cluster.waitActive()
    print(f"hdfs://localhost:{cluster.getNameNodePort()}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(sys.argv[1])
