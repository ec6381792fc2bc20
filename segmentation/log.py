"""What a command tells while it works: text for people, or for machines a JSON object a line on standard error.

The standard library's ``logging`` writes the lines, for through its root logger come the warnings and messages of the
libraries too, in the same form; structlog would be one more package for a single place that logs.
"""

import json
import logging
import sys
import time
import traceback
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from segmentation.errors import SegmentationError
from segmentation.redaction import redact

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
_OWN = "segmentation.told"


class Log(AbstractContextManager["Log"]):
    """Text: what was done goes to standard output, why it ended to standard error.

    Attributes
    ----------
    tells_all : whether it tells even of errors that only a programmer can mend, of which Python itself tells otherwise
    """

    tells_all = False

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        return None

    def about(self, *, run_id: str | None = None, stage: str | None = None) -> None:
        """Say which run and stage all that follows is about."""

    def tell(self, event: str, said: str, *, text: str | None = None, level: str = "info", **facts: Any) -> None:
        """Say something to people and machines; ``text`` is what people see, where it is more than what is ``said``."""
        print(redact(said if text is None else text), flush=True)

    def note(self, event: str, *, level: str = "info", seconds: float | None = None, **facts: Any) -> None:
        """Say something to machines alone."""

    def fail(self, error: BaseException, told: SegmentationError | None, *, verbose: bool) -> None:
        """Say why a command ends, in a line; ``told`` None is an error that only a programmer can mend."""
        if verbose and told is not None:
            sys.excepthook(type(error), error, error.__traceback__)
        if told is not None:
            print(f"segmentation: {redact(str(told))}", file=sys.stderr)

    def stop(self, said: str, *, exit_code: int) -> None:
        """Say that somebody stopped the command."""
        print(f"segmentation: {said}", file=sys.stderr)

    def seconds(self) -> float:
        """Return how long the command has been at work."""
        return time.monotonic() - self._started


class JsonLog(Log):
    """Every event as a line of JSON; what libraries log or warn of meanwhile, too."""

    tells_all = True

    def __init__(self) -> None:
        super().__init__()
        self._lines = _Lines()
        self._handler = logging.StreamHandler(sys.stderr)
        self._handler.setFormatter(self._lines)
        self._own = logging.getLogger(_OWN)

    def __enter__(self) -> "JsonLog":
        logging.getLogger().addHandler(self._handler)
        self._own.setLevel(logging.INFO)
        logging.captureWarnings(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self._handler)
        return None

    def about(self, *, run_id: str | None = None, stage: str | None = None) -> None:
        """Say which run and stage all that follows is about; a run stays until there is another."""
        self._lines.run_id, self._lines.stage = run_id or self._lines.run_id, stage

    def tell(self, event: str, said: str, *, text: str | None = None, level: str = "info", **facts: Any) -> None:
        """Write an event with what is said of it."""
        self.note(event, level=level, said=said, **facts)

    def note(self, event: str, *, level: str = "info", seconds: float | None = None, **facts: Any) -> None:
        """Write an event."""
        self._own.log(logging.getLevelNamesMapping()[level.upper()], event, extra={"told": {"seconds": seconds, **facts}})

    def fail(self, error: BaseException, told: SegmentationError | None, *, verbose: bool) -> None:
        """Write the error with its parts, and where it happened if asked or if only a programmer can mend it."""
        facts: dict[str, Any] = {"exit_code": 1, "said": f"{type(error).__name__}: {error}"}
        if told is not None:
            facts = {"place": told.place, "expected": told.expected, "found": told.found}
            facts |= {"exit_code": told.exit_code, "said": str(told)}
        if verbose or told is None:
            facts["traceback"] = "".join(traceback.format_exception(error))
        self.note("error", level="error", seconds=self.seconds(), **facts)

    def stop(self, said: str, *, exit_code: int) -> None:
        """Write that somebody stopped the command."""
        self.note("stopped", level="error", seconds=self.seconds(), said=said, exit_code=exit_code)


class _Lines(logging.Formatter):
    """A record as a line: when, how grave, what, of which run and stage, how long it took, and what it tells."""

    def __init__(self) -> None:
        super().__init__()
        self.run_id: str | None = None
        self.stage: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        facts = dict(getattr(record, "told", {}))
        is_own = record.name == _OWN
        if not is_own:
            facts = {"logger": record.name, "said": record.getMessage()}
            if record.exc_info:
                facts["traceback"] = self.formatException(record.exc_info)
        seconds = facts.pop("seconds", None)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.msg if is_own else "log",
            "run_id": self.run_id,
            "stage": self.stage,
            "seconds": None if seconds is None else round(seconds, 3),
            **facts,
        }
        return json.dumps(_redacted(line), ensure_ascii=False, default=str)


def _redacted(value: Any) -> Any:
    """Return a value without secrets; within the line they could be escaped, and so not be known again."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _redacted(one) for name, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list | tuple) else value


def make_log(form: str) -> Log:
    """Return what tells in a form of ``FORMS``."""
    return JsonLog() if form == "json" else Log()
