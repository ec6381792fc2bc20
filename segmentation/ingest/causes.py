"""What Spark says of a source that it cannot read, as one line for people."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from segmentation.errors import SourceError
from segmentation.faults import explain_machine

_UNKNOWN_PATTERN = ("INVALID_DATETIME_PATTERN", "DATETIME_PATTERN_RECOGNITION", "Illegal pattern character")


@contextmanager
def readable(place: str) -> Iterator[None]:
    """Turn Spark's errors of reading into one line about ``place``."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        if machine := explain_machine(error):
            raise machine from error
        # The reason is often a cause of a cause, which only the stack trace names.
        text = f"{error}\n{getattr(error, '_stackTrace', '')}"
        raise SourceError(place, expected="a readable source", found=_cause(text)) from error


def _cause(text: str) -> str:
    known = {
        "PATH_NOT_FOUND": "no such file",
        "TABLE_OR_VIEW_NOT_FOUND": "no such table",
        "DELTA_TABLE_NOT_FOUND": "no Delta table",
        "DELTA_MISSING": "no Delta table",
        "is not a Delta table": "no Delta table",
        "UNABLE_TO_INFER_SCHEMA": "an empty folder or no file of this format",
        "(NANOS,": "times in nanoseconds, which Spark does not read: write them in microseconds (pandas: coerce_timestamps='us')",
        "COLUMN_ALREADY_EXISTS": "a column twice, or two whose names differ by capitals alone",
        "CSV header does not conform": "a file whose header differs from the first file's, or has a name twice",
        "Number of column in CSV header": "a file whose header has another number of columns than the first file's",
        "CANNOT_READ_FILE_FOOTER": "a damaged Parquet file",
        "Unexpected end of input stream": "a truncated compressed file",
        **dict.fromkeys(("not in GZIP format", "not a gzip file", "incorrect header check"), "a .gz file that is not gzip"),
        "Relative path in absolute URI": "a name with a colon, which Hadoop does not know",
        "No FileSystem for scheme": "a scheme that this Spark has no file system for",
        "UnknownHostException": "a host that is not known",
        "Illegal file pattern": "a pattern that is none",
        "UNSUPPORTED_FILE_SYSTEM": "a scheme that this Spark has no file system for",
        "SchemaColumnConvertNotSupported": "a column of another type than in the first file",
        "PlainValuesDictionary": "a column of another type than in the first file",
        "Index 20480 out of bounds": "more than 20,480 columns",
        "DATETIME_WEEK_BASED_PATTERN": "a date pattern of weeks, which Spark does not read",
        "java.lang.ArithmeticException: long overflow": "a time beyond those that Spark holds",
        "CRC failure": "a damaged compressed file",
        "crc error": "a damaged compressed file",
        "ZstdIOException": "a damaged compressed file",
        "unexpected end of stream": "a truncated compressed file",
        "BYTE_STREAM_SPLIT": "an encoding (BYTE_STREAM_SPLIT) that Spark does not read",
        "BrotliCodec": "a compression (Brotli) that Spark does not read",
        "Connection refused": "a host that does not answer",
        **dict.fromkeys(_UNKNOWN_PATTERN, "a date pattern that Spark does not know"),
    }
    file = re.search(r"(?:file:|hdfs:|s3a?:|abfss?:)[^\s,;'\"\]]+", text)
    where = f" ({file.group(0).rstrip('.')})" if file else ""
    for mark, meaning in known.items():
        if mark in text:
            return meaning + where
    lines = [line for line in text.splitlines() if line.strip()]
    # Py4J's own first line only says which call it was.
    lines = [line for line in lines if line.startswith("Caused by: ")][-1:] or lines
    lines = [line.removeprefix("Caused by: ").removeprefix(": ") for line in lines if not line.startswith("An error occurred")]
    return (lines[0][:300] if lines else "no word of the cause") + where
