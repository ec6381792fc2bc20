"""Files and catalog tables in, frames of declared columns out; nothing is inferred, nothing dropped. Floor 2."""

from segmentation.sources.columns import SourceColumn
from segmentation.sources.files import SMALL_BYTES, measure_sources, read_source, readable, size_of

__all__ = ["SMALL_BYTES", "SourceColumn", "measure_sources", "read_source", "readable", "size_of"]
