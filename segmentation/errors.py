"""What can go wrong through no fault of the program, each with its exit code."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from segmentation.redaction import redact

Choice = TypeVar("Choice")


class SegmentationError(Exception):
    """A fault that a user can mend: one line with the place, what was expected and what was found."""

    exit_code = 1

    def __init__(self, place: str, *, expected: str, found: str) -> None:
        self.place = place
        self.expected = expected
        self.found = found
        line = " ".join(f"{place}: expected {expected}, found {found}".split())
        # What a source calls its columns may be the bytes of an archive, which a terminal would obey.
        super().__init__(redact("".join(letter if letter.isprintable() else "\ufffd" for letter in line)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments are lost to pickle otherwise, and an error may come back from an executor.
        return partial(type(self), expected=self.expected, found=self.found), (self.place,)


class ConfigError(SegmentationError):
    """The configuration or the command line cannot be used."""

    exit_code = 2


class QualityError(SegmentationError):
    """The data were read, but a rule forbids going on with them."""

    exit_code = 3


class PublishError(SegmentationError):
    """The results cannot be written or published."""

    exit_code = 4


class SourceError(SegmentationError):
    """A source is missing, unreadable, or not the table that was declared."""

    exit_code = 5


class ModelError(SegmentationError):
    """The customers cannot be clustered as asked."""

    exit_code = 6


class SetupError(SegmentationError):
    """Python, Java, Spark or Delta are missing or do not fit together."""

    exit_code = 7


def pick(known: Mapping[str, Choice], name: str, *, place: str) -> Choice:
    """Return what a registry knows by a name.

    Raises
    ------
    ConfigError
        If it knows no such name; it lists those it knows.
    """
    if name not in known:
        raise ConfigError(place, expected=f"one of {', '.join(known)}", found=repr(name))
    return known[name]
