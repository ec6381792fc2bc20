"""Single objects of a store, without a JVM: how a folder there is opened, and how one is written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlparse

from segmentation.errors import PublishError

# Stores in which of several writers of one new object only the first succeeds.
SCHEMES = ("s3", "s3a", "abfss", "gs")
# A lock must be renewed, or known to be lost, within a minute.
_PATIENCE: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=8)}


def is_object_store(place: str) -> bool:
    """Say whether a place is a URI of such a store."""
    return urlparse(place).scheme in SCHEMES


def open_folder(place: str) -> Any:
    """Return a folder of a store, reached by the environment's usual variables.

    Raises
    ------
    PublishError
        If the environment does not say how.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(place, retry_config=_PATIENCE)
    except (BaseError, ValueError) as error:
        raise unreachable(place, error) from None


@contextmanager
def _in_a_line(place: str) -> Iterator[None]:
    """Tell what a store says no to in a line."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise unreachable(place, error) from None


def write_object(place: str, content: bytes) -> None:
    """Write an object.

    Raises
    ------
    PublishError
        If it cannot be written.
    """
    import obstore

    folder, _, name = place.rpartition("/")
    with _in_a_line(place):
        obstore.put(open_folder(folder), name, content)


def list_objects(place: str) -> list[str]:
    """Return the names of all objects below a folder, from there on, in order.

    Raises
    ------
    PublishError
        If the store does not say.
    """
    import obstore

    with _in_a_line(place):
        return sorted(one["path"] for batch in obstore.list(open_folder(place)) for one in batch)


def read_object(place: str, name: str) -> bytes:
    """Return an object of a folder.

    Raises
    ------
    PublishError
        If it cannot be read.
    """
    import obstore

    with _in_a_line(f"{place}/{name}"):
        return bytes(obstore.get(open_folder(place), name).bytes())


def remove_objects(place: str, names: Sequence[str]) -> None:
    """Remove objects of a folder.

    Raises
    ------
    PublishError
        If one cannot be removed.
    """
    import obstore

    with _in_a_line(place):
        if names:
            obstore.delete(open_folder(place), list(names))


def measure(place: str) -> int | None:
    """Return the bytes of an object, or of all below a folder; None where nothing is found or the store does not say."""
    import obstore
    from obstore.exceptions import BaseError

    folder, _, name = place.rstrip("/").rpartition("/")
    try:
        found = [one for batch in obstore.list(open_folder(folder), name) for one in batch]
        found = found or [obstore.head(open_folder(folder), name)]
    except (BaseError, OSError, PublishError):
        return None
    return sum(one["size"] for one in found)


def unreachable(place: str, error: Exception) -> PublishError:
    """Return an error of a store in a line; the rest of it is what the program behind it looks like."""
    found = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return PublishError(
        place, expected="an object store that can be read and written", found=found.partition("<?xml")[0].strip(" :")[:300]
    )
