"""Files and catalog tables in, frames of declared columns out; nothing is inferred, nothing dropped. Floor 2."""

from segmentation.sources.columns import SourceColumn
from segmentation.sources.files import read_source, readable

__all__ = ["SourceColumn", "read_source", "readable"]
