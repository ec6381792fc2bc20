"""What a run says while it works: a live line per stage on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from pyspark import SparkContext
from rich.console import Console

from segmentation.redaction import redact

_TICK_SECONDS = 0.25


class Progress:
    """Reports the stages of a run on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """Print one line."""
        stamp = "" if self._console.is_terminal else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
        self._console.print(stamp + redact(message), markup=False)

    @contextmanager
    def stage(self, name: str, context: SparkContext | None = None) -> Iterator[list[str]]:
        """Report a stage; what the block puts into the list is told at its end."""
        started, told = time.monotonic(), list[str]()
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


def _tasks(context: SparkContext | None) -> str:
    if context is None:
        return ""
    tracker = context.statusTracker()
    stages = [stage for number in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(number))]
    if not stages:
        return ""
    return f"tasks {sum(one.numCompletedTasks for one in stages)}/{sum(one.numTasks for one in stages)}"
