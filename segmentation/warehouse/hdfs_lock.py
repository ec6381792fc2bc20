"""One command at a time in a warehouse in HDFS: held by a file that is being written.

HDFS lets one client write a file, knows whether that client still lives, and lets another go on with the file of a dead one a
minute after its last sign of life (HDFS Architecture; ``HdfsConstants.LEASE_SOFTLIMIT_PERIOD``).
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from segmentation.errors import PublishError
from segmentation.warehouse.files import hadoop
from segmentation.warehouse.locks import NAME, Holder, refused, told

_SCHEME = "hdfs"
_IS_THERE = ("FileAlreadyExistsException", "AlreadyBeingCreatedException", "RecoveryInProgressException")
_LET_GO = "a dead one is let go a minute after it"
# HDFS needs some seconds to find out where the file of a dead one ends.
_RECOVERY_SECONDS, _WAIT_SECONDS = 20.0, 1.0


@contextmanager
def hold_if_hdfs(spark: SparkSession, place: str, by: str) -> Iterator[None]:
    """Hold a warehouse, also of a path without a scheme, if it lies in HDFS; a killed process lets go a minute later.

    Raises
    ------
    PublishError
        If another process holds it, or it cannot be written.
    """
    try:
        system, java_path = hadoop(spark, place)
    except Py4JJavaError:  # no file system of that scheme: whoever reads or writes there says so
        yield
        return
    if system.getUri().getScheme() != _SCHEME:
        yield
        return
    path = java_path(f"{place}/{NAME}")
    try:
        stream = _take(system, path, place)
        stream.write(bytearray(json.dumps(asdict(Holder(by))).encode()))
        stream.hflush()
    except Py4JJavaError as error:
        raise PublishError(place, expected="a folder in HDFS that can be written", found=_message(error)) from error
    try:
        yield
    finally:
        _remove(system, path, stream)


def _take(system: Any, path: Any, place: str) -> Any:
    """Return a new file, open, in place of that of a dead holder if there is one."""
    try:
        return system.create(path, False)
    except Py4JJavaError as error:
        if not _is(error, *_IS_THERE):
            raise
    _remove(system, path, _take_over(system, path, place))
    try:
        return system.create(path, False)
    except Py4JJavaError as error:
        if not _is(error, *_IS_THERE):
            raise
        raise refused(place, "one that began just now") from None


def _take_over(system: Any, path: Any, place: str) -> Any:
    """Return the file of a dead holder, open to be written on, which no other can open then."""
    ends = time.monotonic() + _RECOVERY_SECONDS
    while True:
        try:
            return system.append(path)
        except Py4JJavaError as error:
            if _is(error, "FileNotFoundException"):
                raise refused(place, "one that has just ended; start again") from None
            is_recovered = _is(error, "RecoveryInProgressException") or "recovery" in _message(error).lower()
            if not is_recovered or time.monotonic() > ends:
                raise refused(place, f"{told(_read_holder(system, path))}; {_LET_GO}") from None
        time.sleep(_WAIT_SECONDS)


def _remove(system: Any, path: Any, stream: Any) -> None:
    """Remove the lock before it is closed: a closed file is anybody's to go on with."""
    with suppress(Py4JJavaError):
        system.delete(path, False)
    with suppress(Py4JJavaError):  # there is no such file any more
        stream.close()


def _read_holder(system: Any, path: Any) -> Holder | None:
    """Return who wrote the lock, None where nobody can tell."""
    try:
        stream = system.open(path)
        try:
            return Holder.read(bytes(stream.readAllBytes()))
        finally:
            stream.close()
    except Py4JJavaError:
        return None


def _is(error: Py4JJavaError, *names: str) -> bool:
    return any(name in str(error.java_exception) for name in names)


def _message(error: Py4JJavaError) -> str:
    lines = str(error.java_exception.getMessage() or error.java_exception).splitlines()
    return lines[0] if lines else type(error).__name__
