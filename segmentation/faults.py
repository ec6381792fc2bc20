"""What Spark, the disk or the memory did, as one line for people: neither a fault of the data nor of the configuration."""

import errno
import sys
from typing import Any

from segmentation.errors import PublishError, SegmentationError, SetupError

_FULL = ("No space left on device", "DiskQuotaExceeded", "Disk quota exceeded")
_CLOSED = ("Read-only file system", "Permission denied", "AccessControlException", "AccessDenied")
_MEMORY = ("OutOfMemoryError", "Java heap space", "GC overhead limit", "UNABLE_TO_ACQUIRE_MEMORY")
_GONE = ("Answer from Java side is empty", "Connection reset by peer", "SparkContext was shut down")


def is_of_spark(error: BaseException) -> bool:
    """Say whether Spark, or the JVM, raised it; where Spark was never imported, it did not."""
    if "pyspark" not in sys.modules:
        return False
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return isinstance(error, PySparkException | Py4JError)


def explain(error: BaseException) -> SegmentationError | None:
    """Return an error of the machine or of Spark as one of ours, None of one that only a programmer can mend."""
    if isinstance(error, SegmentationError):
        return error
    known = explain_machine(error)
    if known is not None or not is_of_spark(error):
        return known
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in lines if "Exception" in line or line.startswith("[")), lines[0] if lines else "no word of it")
    return SegmentationError("Spark", expected="an answer", found=f"{cause[:300]} (--verbose shows all)")


def explain_machine(error: BaseException) -> SegmentationError | None:
    """Return an error of the disk, the memory or a JVM that is gone as one of ours; None of every other."""
    if isinstance(error, MemoryError):
        return _short_of_memory("Python")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
        return PublishError(str(error.filename or "disk"), expected="a place that can be written", found=str(error.strerror))
    if isinstance(error, ConnectionRefusedError) and "pyspark" in sys.modules:
        return _without_jvm("Connection refused")
    if not is_of_spark(error):
        return None
    text = _whole_text(error)
    if found := _mark(text, _MEMORY):
        return _short_of_memory(f"the JVM ({found})")
    if found := _mark(text, _FULL):
        return PublishError("disk", expected="room for the tables and for what Spark spills", found=found)
    if found := _mark(text, _CLOSED):
        return PublishError("warehouse", expected="a place that can be read and written", found=found)
    if found := _mark(text, _GONE):
        return _without_jvm(found)
    if "Connection refused" in text and not hasattr(error, "java_exception") and not hasattr(error, "_stackTrace"):
        return _without_jvm("Connection refused")  # what Java says of it is of another machine
    return None


def _without_jvm(found: str) -> SetupError:
    return SetupError("Spark", expected="a JVM that lives to the end", found=f"{found}; was it killed?")


def _whole_text(error: Any) -> str:
    """Return the message and the causes behind it, which only the stack trace names."""
    return f"{error}\n{getattr(error, '_stackTrace', '')}"


def _mark(text: str, marks: tuple[str, ...]) -> str | None:
    return next((mark for mark in marks if mark in text), None)


def _short_of_memory(who: str) -> SetupError:
    return SetupError(
        "memory", expected="more of it: SPARK_DRIVER_MEMORY=8g, or spark-submit --driver-memory", found=f"{who} has none left"
    )
