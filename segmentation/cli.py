"""``segmentation run`` and a command per stage; the jobs call the same ``main``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console, RenderableType

from segmentation import __version__, monthly
from segmentation.config.load import load_config
from segmentation.config.sources import SOURCE_NAMES
from segmentation.errors import ConfigError, PublishError
from segmentation.faults import explain
from segmentation.log import FORMS, Log, make_log
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

# The stages of ``pipeline``, which imports Spark and is imported only to run one.
STAGE_NAMES = ("ingest", "features", "grid", "assign", "segments", "advice", "publish")
SCORE_STAGES = tuple(name for name in STAGE_NAMES if name != "grid")
_COMMANDS = {"run": STAGE_NAMES, "score": SCORE_STAGES, **{name: (name,) for name in STAGE_NAMES}}

_WHOLE = {"run": "run every stage and publish", "score": "score the customers of today with a model that stays as it is"}
_DOCTOR = "check what a run needs before any work; list what killed runs left"
_FORGET = "take customers out of every table, its history and the reports"
_INIT = "look at data files and write a commented configuration for them"
_STOPPED = 130
# What an event tells of the run that it says is published.
_PUBLISHED = ("k", "customers", "rows_read", "rows_set_aside", "decision", "drift_verdict", "scored_with", "model_path")
_VIEWS = {
    "explain": "say why a customer is in a segment",
    "report": "draw the report of a published run",
    "show": "show the segments of a published run in the terminal",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError("command line", expected=self.format_usage().removeprefix("usage: "), found=message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or the exit code of the error that one line on standard error tells of."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with make_log("json" if _asks_json(arguments) else "text") as log:
        try:
            options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="segmentation", description="Customer segmentation on Spark and Delta Lake.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, stages in _COMMANDS.items():
        told = _WHOLE.get(name, f"run the stage {stages[0]} alone")
        command = _add_command(commands, name, told)
        command.add_argument("--as-of", metavar="YYYY-MM-DD", help="first day not seen")
        command.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="SOURCE=PATH",
            help="where transactions, products or customers lie",
        )
        command.add_argument("--k", type=int, metavar="K", help="take this K whatever the grid says")
        command.add_argument("--run-id", metavar="ID", help="repeat or go on with this run")
        if name == "run":
            either = command.add_mutually_exclusive_group()
            either.add_argument(
                "--resume", action="store_true", help="go on after the last stage that ended of a run that did not"
            )
            either.add_argument(
                "--from",
                dest="former",
                metavar="RUN",
                help="with --k: the run whose grid is taken; the newest of the same sources by default, none for a new one",
            )
        if name == "score":
            command.add_argument("--model", default=CHAMPION, metavar="RUN", help="run of the model; the champion by default")
            command.add_argument(
                "--exit-on-drift", action="store_true", help="leave with 10, 11 or 12 for re-score, refit or new segmentation"
            )
    beginning = commands.add_parser("init", help=_INIT, description=_INIT)
    beginning.add_argument(
        "data", nargs="+", metavar="DATA", help="files, folders or patterns: transactions, products, customers"
    )
    beginning.add_argument(
        "--output", default="segmentation.yaml", metavar="FILE", help="the YAML file; segmentation.yaml by default"
    )
    beginning.add_argument("--force", action="store_true", help="replace the file if it is there")
    beginning.add_argument("--verbose", action="store_true", help="show stack traces")
    doctor = _add_command(commands, "doctor", _DOCTOR)
    doctor.add_argument("--as-of", metavar="YYYY-MM-DD", help="first day not seen")
    doctor.add_argument("--input", action="append", default=[], metavar="SOURCE=PATH", help="where a source lies")
    doctor.add_argument("--dry-run", action="store_true", help="read the sources to their end: what would be set aside")
    doctor.add_argument("--repair", action="store_true", help="put right what killed runs left")
    forgetting = _add_command(commands, "forget", _FORGET)
    forgetting.add_argument("ids", nargs="*", metavar="ID", help="customers")
    forgetting.add_argument("--file", metavar="FILE", help="a text file with an id in each line")
    forgetting.add_argument("--dry-run", action="store_true", help="count only")
    for name, told in monthly.TOLD.items():
        monthly.add_options(name, _add_command(commands, name, told))
    for name, told in _VIEWS.items():
        command = _add_command(commands, name, told)
        command.add_argument("--run-id", "--run", metavar="ID", help="a published run; the newest by default")
        if name == "explain":
            command.add_argument("--customer", required=True, metavar="ID", help="the customer")
        if name == "show":
            command.add_argument("--csv", metavar="FILE", help="write segments and advice to a CSV file too")
    return parser


def _add_command(commands: Any, name: str, told: str) -> argparse.ArgumentParser:
    """Return a new command with the options that every command has."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    command.add_argument("--config", required=True, metavar="FILE", help="the YAML file")
    command.add_argument("--warehouse", metavar="PATH", help="folder or URI of the tables")
    command.add_argument("--verbose", action="store_true", help="show Spark's messages and stack traces")
    command.add_argument(
        "--log", choices=FORMS, default="text", help="text for people, or a JSON object a line on standard error"
    )
    return command


def _run(options: argparse.Namespace, log: Log) -> int:
    """Do what the command says; return 0, or what the doctor's worst finding ends a run with."""
    if options.command == "init":
        from segmentation.init.command import write_configuration

        print(redact("\n".join(write_configuration(options.data, output=options.output, is_forced=options.force))))
        return 0
    if options.command in _VIEWS or options.command in monthly.TOLD:
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
        k=options.k,
    )
    check_pyspark()
    # Spark ML takes seconds to import, which neither a wrong command nor one that only reads need spend.
    from segmentation.gauge import named_jobs
    from segmentation.ingest.files import measure_sources
    from segmentation.pipeline import execute, make_request
    from segmentation.progress import make_progress
    from segmentation.warehouse.session import open_session

    stages, is_whole = _COMMANDS[options.command], options.command in _WHOLE
    request = make_request(config, options.run_id, stages, draws=is_whole, resumes=getattr(options, "resume", False))
    request = replace(request, model=getattr(options, "model", None), former=getattr(options, "former", None))
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
    do = _draw_or_tell if options.command in _VIEWS else monthly.carry_out
    if not needs_session(config.warehouse) and not monthly.needs_spark(options.command):
        do(options, open_lake(config.warehouse, None), log)
        return
    check_pyspark()
    from segmentation.warehouse.session import open_session

    spark, is_own = open_session(verbose=options.verbose, places=config.places)
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
