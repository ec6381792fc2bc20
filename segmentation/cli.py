"""``segmentation run`` and a command per stage; the jobs call the same ``main``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from segmentation import __version__, monthly
from segmentation.commands import COMMANDS, VIEWS, WHOLE, make_parser
from segmentation.config.load import load_config
from segmentation.config.sources import SOURCE_NAMES
from segmentation.errors import ConfigError, PublishError
from segmentation.faults import explain
from segmentation.log import Log, make_log
from segmentation.redaction import redact
from segmentation.report.explain import explain_customer
from segmentation.report.stage import find_published, read_told, report_place, save_report
from segmentation.report.terminal import tabulate, write_csv
from segmentation.tables import CURRENT
from segmentation.warehouse.champions import CHAMPION
from segmentation.warehouse.lake import Lake, needs_session, open_lake
from segmentation.warehouse.mending import finish_if_free
from segmentation.warehouse.requirements import check_pyspark

if TYPE_CHECKING:
    from segmentation.run import Run

_STOPPED = 130
# What an event tells of the run that it says is published.
_PUBLISHED = ("k", "customers", "rows_read", "rows_set_aside", "decision", "drift_verdict", "scored_with", "model_path")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or the exit code of the error that one line on standard error tells of."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with make_log("json" if _asks_json(arguments) else "text") as log:
        try:
            options = make_parser().parse_args(arguments)
            log.note("command_started", command=options.command, version=__version__)
            exit_code = _run(options, log)
            log.note("command_ended", command=options.command, exit_code=exit_code, seconds=log.seconds())
            return exit_code
        except Exception as error:
            told = explain(error)
            log.fail(error, told, verbose="--verbose" in arguments)
            if told is None and not log.tells_all:
                raise
            return 1 if told is None else told.exit_code
        except KeyboardInterrupt:
            log.stop("stopped; what was published stays current", exit_code=_STOPPED)
            return _STOPPED


def _asks_json(arguments: Sequence[str]) -> bool:
    """Say whether a command line asks for a log in JSON; a wrong one is told of in that form too."""
    return "--log=json" in arguments or ("--log", "json") in pairwise(arguments)


def _run(options: argparse.Namespace, log: Log) -> int:
    """Do what the command says; return 0, or what the doctor's worst finding ends a run with."""
    if options.command == "init":
        from segmentation.init.command import write_configuration

        print(redact("\n".join(write_configuration(options.data, output=options.output, is_forced=options.force))))
        return 0
    if options.command in VIEWS or options.command in monthly.TOLD:
        _open_and_do(options, log)
        return 0
    if options.command == "doctor":
        return _examine(options, log)
    if options.command == "forget":
        from segmentation.forget import forget, read_ids

        config = load_config(options.config, warehouse=options.warehouse, is_to_run=False)
        ids = read_ids(options.ids, options.file)
        for line in forget(open_lake(config.warehouse, None), ids, is_dry_run=options.dry_run):
            log.tell("forgotten", line, is_dry_run=options.dry_run)
        return 0
    config = load_config(
        options.config,
        as_of=options.as_of,
        inputs=_inputs(options.input),
        warehouse=options.warehouse,
        k=None if options.k == CHAMPION else options.k,
    )
    check_pyspark()
    # Spark ML takes seconds to import, which neither a wrong command nor one that only reads need spend.
    from segmentation.gauge import named_jobs
    from segmentation.ingest.files import measure_sources
    from segmentation.pipeline import execute, make_request
    from segmentation.progress import make_progress
    from segmentation.warehouse.session import open_session

    stages, is_whole = COMMANDS[options.command], options.command in WHOLE
    request = make_request(config, options.run_id, stages, draws=is_whole, resumes=getattr(options, "resume", False))
    model, former = getattr(options, "model", None), getattr(options, "former", None)
    request = replace(request, model=model, former=former, has_champions_k=options.k == CHAMPION)
    progress = make_progress(log)
    progress.about(request.run_id)
    with progress.stage("start Spark"):
        spark, is_own = open_session(verbose=options.verbose, source_bytes=measure_sources(config.sources), places=config.places)
    try:
        run = execute(spark, request, progress)
        if "publish" in request.stages:
            with named_jobs(spark.sparkContext, "show"):  # in a catalog even small tables are read by Spark
                verdict = _show(run, log, is_drawn=request.draws)
            return monthly.exit_code_of(verdict) if getattr(options, "exit_on_drift", False) else 0
        log.tell("run_id", f"run id {run.run_id}")
    finally:
        if is_own:
            spark.stop()
    return 0


def _examine(options: argparse.Namespace, log: Log) -> int:
    """Tell what the doctor finds, a line each."""
    config = load_config(
        options.config, as_of=options.as_of, inputs=_inputs(options.input), warehouse=options.warehouse, is_to_run=False
    )
    check_pyspark()
    from segmentation.doctor import Finding, examine, examine_machine, tell_findings
    from segmentation.gauge import named_jobs
    from segmentation.warehouse.session import open_session

    tell_findings([Finding("configuration", "ok", options.config)], log)
    found = tell_findings(examine_machine(config), log)
    if not any(one.status == "failed" for one in found):
        spark, is_own = open_session(verbose=options.verbose, places=config.places)
        try:
            with named_jobs(spark.sparkContext, "doctor"):
                found += tell_findings(examine(spark, config, is_dry_run=options.dry_run, repairs=options.repair), log)
        finally:
            if is_own:
                spark.stop()
    return next((one.exit_code for one in found if one.status == "failed"), 0)


def _open_and_do(options: argparse.Namespace, log: Log) -> None:
    """Open the warehouse, without Spark where nothing needs it, and do what looks at no source."""
    config = load_config(options.config, warehouse=options.warehouse, is_to_run=False)
    do = _draw_or_tell if options.command in VIEWS else monthly.carry_out
    if not needs_session(config.warehouse) and not monthly.needs_spark(options.command):
        do(options, open_lake(config.warehouse, None), log)
        return
    check_pyspark()
    from segmentation.warehouse.session import open_session

    size = monthly.measure_source(options)
    spark, is_own = open_session(verbose=options.verbose, source_bytes=size, places=config.places)
    try:
        do(options, open_lake(config.warehouse, spark), log)
    finally:
        if is_own:
            spark.stop()


def _draw_or_tell(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    finish_if_free(lake)
    published = find_published(lake, options.run_id)
    log.about(run_id=published.run_id)
    if options.command == "report":
        log.tell("report_drawn", f"Report: {save_report(published)}")
        return
    if options.command == "explain":
        _print_wide(explain_customer(published, options.customer))
        return
    told = read_told(published)
    _print_wide(tabulate(told))
    if options.csv:
        try:
            Path(options.csv).write_text(write_csv(told), encoding="utf-8", newline="")
        except OSError as error:
            raise PublishError(
                "--csv", expected="a file that can be written", found=f"{options.csv} ({error.strerror})"
            ) from None


def _inputs(pairs: Sequence[str]) -> dict[str, str]:
    inputs = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if name not in SOURCE_NAMES or not separator or not path:
            raise ConfigError("--input", expected=f"SOURCE=PATH with SOURCE of {', '.join(SOURCE_NAMES)}", found=pair)
        inputs[name] = path
    return inputs


def _show(run: "Run", log: Log, *, is_drawn: bool) -> str | None:
    """Print the segments, where the tables lie, and how to query one; return the verdict on drift."""
    published = find_published(run.lake, run.run_id)
    verdict: str | None = published.row.get("drift_verdict")
    log.note(
        "published", **{name: published.row[name] for name in _PUBLISHED}, warehouse=run.lake.path or run.lake.catalog_schema
    )
    _print_wide(tabulate(read_told(published)))
    place = run.lake.place(CURRENT["segments"])
    where = run.lake.path or run.lake.catalog_schema
    query = f"delta.`{place}`" if run.lake.path else place
    lines = [f"\nDelta tables: {where}", f"Model:        {run.model_path}"]
    if is_drawn:
        lines.append(f"Report:       {report_place(run.lake, run.run_id)}")
    lines.append(f'Query one:    spark.sql("SELECT * FROM {query}").show()')
    if run.lake.path:
        lines.append(f"or in DuckDB: SELECT * FROM delta_scan('{place}');")
    for told in (f"Drift:        {verdict}" if verdict else None, monthly.tell_challenger(run.lake, run.run_id)):
        if told and (run.scored_with is None or told.startswith("Drift")):
            lines.append(told)
    print(redact("\n".join(lines)))
    return verdict


def _print_wide(table: RenderableType) -> None:
    """Print a table as wide as the terminal, or as a page where there is none."""
    (Console() if sys.stdout.isatty() else Console(width=160)).print(table)


def run_and_exit() -> None:
    """Run a command and leave with its exit code."""
    sys.exit(main())
