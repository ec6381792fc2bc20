"""One command at a time in a warehouse: held on this machine by a file, in an object store by an object that must be renewed.

No two commands can make the same object (``If-None-Match``), and none renews one that is not its own (``If-Match``). Whoever
holds it renews it every ten seconds; a killed one does not, and after a minute of silence the next takes it over. How long it
has been silent is measured by the store's clock alone.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from segmentation.errors import PublishError
from segmentation.warehouse.objects import open_folder, unreachable

NAME, _HOLDER = ".lock", ".lock-holder"
LEASE_SECONDS, BEAT_SECONDS = 60.0, 10.0
_MARGIN_SECONDS = 10.0  # a holder stops this long before another may begin


@dataclass(frozen=True)
class Holder:
    """Who holds a warehouse: which command, where, since when."""

    by: str
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """Return the holder that wrote a lock, None where nobody can tell."""
        try:
            told = json.loads(content)
            return cls(**{name: told[name] for name in ("by", "host", "pid", "since", "token")})
        except (ValueError, KeyError, TypeError):
            return None


def told(holder: Holder | None) -> str:
    """Return who holds a warehouse, in words."""
    who = f": {holder.by} on {holder.host}, process {holder.pid}, since {holder.since}" if holder else ""
    return f"one at work{who}"


@contextmanager
def hold_folder(folder: str, by: str) -> Iterator[None]:
    """Hold a warehouse of this machine; a killed process lets go by itself.

    Raises
    ------
    PublishError
        If another process holds it, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # a tenth of a second to import, which readers need not wait for

    lock, sign = FileLock(Path(folder, NAME), blocking=False), Path(folder, _HOLDER)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock.acquire()
        sign.write_text(json.dumps(asdict(Holder(by))))
    except Timeout:
        raise refused(folder, told(_read_sign(sign))) from None
    except OSError as error:
        lock.release()
        raise PublishError(folder, expected="a folder that can be written", found=str(error.strerror)) from None
    try:
        yield
    finally:
        sign.unlink(missing_ok=True)
        lock.release()


@contextmanager
def hold_object(place: str, by: str, *, store: Any = None) -> Iterator["Lease"]:
    """Hold a warehouse in an object store.

    Parameters
    ----------
    store : the folder ``place`` as obstore opens it; None opens it

    Raises
    ------
    PublishError
        If another command holds it, or the store cannot be reached.
    """
    from obstore.exceptions import BaseError

    lease = Lease(open_folder(place) if store is None else store, place, Holder(by))
    try:
        lease.take()
    except (BaseError, OSError) as error:
        raise unreachable(f"{place}/{NAME}", error) from None
    try:
        yield lease
    finally:
        lease.let_go()


class Lease:
    """The lock of a warehouse in an object store, renewed until it is let go."""

    def __init__(self, store: Any, place: str, holder: Holder) -> None:
        self._store, self._place, self._holder = store, place, holder
        self._beats = 0
        self._version: dict[str, str] = {}
        self._renewed_at = 0.0
        self._is_lost = False
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="warehouse lock", daemon=True)

    def take(self) -> None:
        """Take the lock, or take over one whose holder has been silent for too long.

        Raises
        ------
        PublishError
            If another command holds it.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self.renew("create")
        except AlreadyExistsError:
            found = self._read()
            if found is None:
                raise refused(self._place, "one that has just ended; start again") from None
            holder, meta = found
            if not self._is_own(holder, meta):
                silent = (self._read_clock() - meta["last_modified"]).total_seconds()
                if silent < LEASE_SECONDS:
                    raise refused(self._place, self._explain(holder, silent)) from None
                try:
                    self.renew(_version_of(meta))
                except (PreconditionError, FileNotFoundError):
                    raise refused(self._place, "one that took over from a dead one just now") from None
        self._heart.start()

    def renew(self, mode: Any) -> None:
        """Write the lock with its next beat: as a new object, or in place of the version ``mode``."""
        import obstore

        started = time.time()  # not the monotonic clock, which stands still while a machine sleeps
        content = json.dumps({**asdict(self._holder), "beat": self._beats}).encode()
        self._version = _version_of(obstore.put(self._store, NAME, content, mode=mode, use_multipart=False))
        self._beats += 1
        self._renewed_at = started

    def check(self) -> None:
        """Refuse to go on where another command may hold the warehouse by now.

        Raises
        ------
        PublishError
            If the lock was lost, or could not be renewed for too long.
        """
        silent = time.time() - self._renewed_at
        if self._is_lost or silent > LEASE_SECONDS - _MARGIN_SECONDS:
            found = "another holds it or removed it" if self._is_lost else f"no answer of the store for {silent:.0f} s"
            raise PublishError(f"{self._place}/{NAME}", expected="the lock that this command took", found=found)

    def let_go(self) -> None:
        """Remove the lock; where that fails it is let go a minute later."""
        import obstore
        from obstore.exceptions import BaseError

        self._ended.set()
        self._heart.join()
        with suppress(BaseError, OSError, PublishError):
            self.check()
            obstore.delete(self._store, NAME)

    def _beat(self) -> None:
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        while not self._ended.wait(BEAT_SECONDS):
            try:
                self.renew(self._version)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                with suppress(BaseError, OSError):
                    found = self._read()
                    if found is None or not self._is_own(*found):
                        self._is_lost = True
                        return
            except (BaseError, OSError):
                continue  # the store may be back before the lease has run out

    def _is_own(self, holder: Holder | None, meta: Any) -> bool:
        """Say whether a lock is this one: the store took it, and its answer was lost on the way."""
        if holder is None or holder.token != self._holder.token:
            return False
        self._version, self._renewed_at = _version_of(meta), time.time()
        return True

    def _read(self) -> tuple[Holder | None, Any] | None:
        import obstore

        try:
            found = obstore.get(self._store, NAME)
            return Holder.read(bytes(found.bytes())), found.meta
        except FileNotFoundError:
            return None

    def _read_clock(self) -> datetime:
        """Return the store's own time, which it tells of an object that is new."""
        import obstore

        trial = f"{NAME}-{self._holder.token}"
        obstore.put(self._store, trial, b"what time is it?", use_multipart=False)
        try:
            now: datetime = obstore.head(self._store, trial)["last_modified"]
            return now
        finally:
            obstore.delete(self._store, trial)

    def _explain(self, holder: Holder | None, silent: float) -> str:
        left = f"is let go {LEASE_SECONDS:.0f} s after it, or at once where {self._place}/{NAME} is removed"
        return f"{told(holder)}, last sign of life {max(silent, 0):.0f} s ago; a dead one {left}"


def refused(place: str, found: str) -> PublishError:
    """Return what a command is told that finds another at work."""
    return PublishError(place, expected="no other run in this warehouse", found=found)


def _version_of(meta: Any) -> dict[str, str]:
    """Return what tells this version of an object from others, as the store names it."""
    return {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}


def _read_sign(sign: Path) -> Holder | None:
    try:
        return Holder.read(sign.read_bytes())
    except OSError:  # the other has not written it yet, or has just removed it
        return None
