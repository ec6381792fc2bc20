"""What a run says while it works: a live line per stage on a terminal, plain lines elsewhere, or events of a log in JSON."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from pyspark import SparkContext
from rich.console import Console

from segmentation.log import JsonLog, Log
from segmentation.redaction import redact

_TICK_SECONDS = 0.25


class Told(list[str]):
    """What is told at the end of a stage: lines for people, figures for machines."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: dict[str, Any] = {}


class Progress:
    """Reports the stages of a run on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)

    def about(self, run_id: str) -> None:
        """Say which run the stages are of."""

    def say(self, message: str, *, event: str = "message") -> None:
        """Print one line."""
        stamp = "" if self._console.is_terminal else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
        self._console.print(stamp + redact(message), markup=False)

    @contextmanager
    def stage(self, name: str, context: SparkContext | None = None) -> Iterator[Told]:
        """Report a stage; what the block puts into the list is told at its end."""
        started, told = time.monotonic(), Told()
        if not self._console.is_terminal:
            self.say(f"{name}: started")
            yield told
        else:
            done = threading.Event()
            with self._console.status(name) as status:

                def tick() -> None:
                    while not done.wait(_TICK_SECONDS):
                        status.update(f"{name}  {time.monotonic() - started:5.1f} s  {_tasks(context)}")

                ticker = threading.Thread(target=tick, daemon=True)
                ticker.start()
                try:
                    yield told
                finally:
                    done.set()
                    ticker.join()
        self.say(f"{name}: done in {time.monotonic() - started:.1f} s" + "".join(f"; {line}" for line in told))


class JsonProgress(Progress):
    """Reports the stages of a run as events."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__()
        self._log = log

    def about(self, run_id: str) -> None:
        """Say which run the stages are of."""
        self._log.about(run_id=run_id)

    def say(self, message: str, *, event: str = "message") -> None:
        """Write an event with what is said."""
        self._log.note(event, said=message)

    @contextmanager
    def stage(self, name: str, context: SparkContext | None = None) -> Iterator[Told]:
        """Write when a stage begins and when it ends; one that fails stays what the error is about."""
        started, told = time.monotonic(), Told()
        self._log.about(stage=name)
        self._log.note("stage_started")
        yield told
        self._log.note("stage_ended", **{"said": "; ".join(told), "seconds": time.monotonic() - started, **told.figures})
        self._log.about()


def make_progress(log: Log) -> Progress:
    """Return what reports the stages in the form of a log."""
    return JsonProgress(log) if isinstance(log, JsonLog) else Progress()


def _tasks(context: SparkContext | None) -> str:
    if context is None:
        return ""
    tracker = context.statusTracker()
    stages = [stage for number in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(number))]
    if not stages:
        return ""
    return f"tasks {sum(one.numCompletedTasks for one in stages)}/{sum(one.numTasks for one in stages)}"
