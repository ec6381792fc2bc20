"""What one cold command costs: CPU seconds of everything it starts, wall seconds, peak memory, and what Spark did for it."""

import ctypes
import json
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_JOB_START = '{"Event":"SparkListenerJobStart"'
_EXECUTION_START = '{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"'
_TASK_END = '{"Event":"SparkListenerTaskEnd"'


@dataclass(frozen=True)
class Cost:
    """What a command cost; ``cpu_seconds`` are of all its descendants, ``task_seconds`` those of them inside Spark's tasks."""

    cpu_seconds: float
    task_seconds: float
    wall_seconds: float
    jobs: float
    executions: float
    peak_bytes: float


def adopt_orphans() -> None:
    """Become the parent of processes whose parent ended before them, so that their CPU seconds are counted here too."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit("Linux is expected: prctl(PR_SET_CHILD_SUBREAPER) failed")


def measure(command: Sequence[str], *, folder: Path, log: Path) -> tuple[int, Cost]:
    """Run a command in ``folder`` with its output in ``log``; return its exit code and what it cost.

    Needs ``adopt_orphans`` once before, and no other child process meanwhile. Spark writes its event log by a
    ``spark-defaults.conf`` made for this command; that costs about as much CPU for every contender.
    """
    with tempfile.TemporaryDirectory() as temporary:
        environment = os.environ | {"SPARK_CONF_DIR": _switch_event_log_on(Path(temporary))}
        before, started = children_cpu(), time.perf_counter()
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
            peak = [0]
            watcher = threading.Thread(target=watch, args=(process.pid, peak))
            watcher.start()
            exit_code = process.wait()
        wall_seconds = time.perf_counter() - started
        watcher.join()
        wait_for_orphans()
        cpu_seconds = children_cpu() - before
        jobs, executions, task_seconds = _read_event_logs(Path(temporary, "events"))
    return exit_code, Cost(cpu_seconds, task_seconds, wall_seconds, jobs, executions, peak[0])


def summarise(costs: Sequence[Cost]) -> Cost:
    """Return the median of every figure, but the largest peak."""
    figures = {name: [asdict(cost)[name] for cost in costs] for name in asdict(costs[0])}
    return Cost(**{name: max(some) if name == "peak_bytes" else statistics.median(some) for name, some in figures.items()})


def _switch_event_log_on(folder: Path) -> str:
    """Write a ``spark-defaults.conf``, which the JVM reads whatever the session is built with; one plain file a session."""
    (folder / "events").mkdir()
    settings = {"enabled": "true", "dir": (folder / "events").as_uri(), "compress": "false", "rolling.enabled": "false"}
    (folder / "spark-defaults.conf").write_text("".join(f"spark.eventLog.{name} {value}\n" for name, value in settings.items()))
    return str(folder)


def watch(pid: int, peak: list[int]) -> None:
    """Keep the largest sum of proportional set sizes, so that pages that forked workers share count once."""
    while psutil.pid_exists(pid):
        total = 0
        try:
            tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in tree:
            try:
                total += one.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total)
        time.sleep(0.5)


def children_cpu() -> float:
    """Return the CPU seconds of all descendants that have ended and been waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_for_orphans() -> None:
    """Wait for what a command left behind: a JVM, Python workers."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _read_event_logs(folder: Path) -> tuple[int, int, float]:
    """Return the Spark jobs, the SQL executions and the CPU seconds inside tasks of every session; 0 without Spark."""
    lines = list(_read_lines(folder))
    tasks = [json.loads(line).get("Task Metrics") or {} for line in lines if line.startswith(_TASK_END)]
    nanoseconds = sum(task.get("Executor CPU Time", 0) for task in tasks)
    jobs, executions = (sum(line.startswith(event) for line in lines) for event in (_JOB_START, _EXECUTION_START))
    return jobs, executions, nanoseconds / 1e9


def _read_lines(folder: Path) -> Iterator[str]:
    """Yield the starts of jobs and executions and the ends of tasks; an event of another kind can be long."""
    for log in sorted(folder.iterdir()):
        with log.open() as events:
            yield from (line for line in events if line.startswith((_JOB_START, _EXECUTION_START, _TASK_END)))
