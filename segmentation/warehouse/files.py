"""Single files, where Spark's file systems say that a path lies: one without a scheme need not be local."""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from segmentation.errors import PublishError


def write_file(spark: SparkSession, path: str, content: bytes) -> None:
    """Write a file and the folders above it.

    Raises
    ------
    PublishError
        If it cannot be written.
    """
    system, java_path = hadoop(spark, path)
    if system.getUri().getScheme() == "file":
        system = system.getRawFileSystem()  # leaves no checksum file beside it
    try:
        stream = system.create(java_path(path), True)
        stream.write(bytearray(content))
        stream.close()
    except Py4JJavaError as error:
        found = str(error.java_exception.getMessage())
        raise PublishError(path, expected="a file that can be written", found=found) from error


def read_file(spark: SparkSession, path: str) -> bytes:
    """Return what a file holds."""
    system, java_path = hadoop(spark, path)
    stream = system.open(java_path(path))
    try:
        return bytes(stream.readAllBytes())
    finally:
        stream.close()


def hadoop(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """Return the Hadoop file system of ``path`` and the constructor of its paths."""
    context = spark.sparkContext
    jvm, jsc = context._jvm, context._jsc
    assert jvm is not None
    assert jsc is not None
    java_path = jvm.org.apache.hadoop.fs.Path
    return java_path(path).getFileSystem(jsc.hadoopConfiguration()), java_path


def list_files(spark: SparkSession, path: str) -> list[str]:
    """Return path, bytes and time of change of every file that ``path`` (a file, a folder, a glob) stands for, sorted."""
    system, java_path = hadoop(spark, path)
    found = []
    for status in system.globStatus(java_path(path)) or []:
        files = system.listFiles(status.getPath(), True)
        while files.hasNext():
            one = files.next()
            found.append(f"{one.getPath().toString()} {one.getLen()} {one.getModificationTime()}")
    return sorted(found)
