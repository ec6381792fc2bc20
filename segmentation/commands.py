"""The command line: which commands there are, and what each can be told."""

import argparse
from typing import Any, NoReturn

from segmentation import __version__, monthly
from segmentation.errors import ConfigError
from segmentation.log import FORMS
from segmentation.warehouse.champions import CHAMPION

# The stages of ``pipeline``, which imports Spark and is imported only to run one.
STAGE_NAMES = ("ingest", "features", "grid", "assign", "segments", "advice", "publish")
SCORE_STAGES = tuple(name for name in STAGE_NAMES if name != "grid")
COMMANDS = {"run": STAGE_NAMES, "score": SCORE_STAGES, **{name: (name,) for name in STAGE_NAMES}}

WHOLE = {"run": "run every stage and publish", "score": "score the customers of today with a model that stays as it is"}
_DOCTOR = "check what a run needs before any work; list what killed runs left"
_FORGET = "take customers out of every table, its history and the reports"
_INIT = "look at data files and write a commented configuration for them"
VIEWS = {
    "explain": "say why a customer is in a segment",
    "report": "draw the report of a published run",
    "show": "show the segments of a published run in the terminal",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError("command line", expected=self.format_usage().removeprefix("usage: "), found=message)


def make_parser() -> argparse.ArgumentParser:
    """Return what reads a command line; a wrong one is a ``ConfigError``."""
    parser = _Parser(prog="segmentation", description="Customer segmentation on Spark and Delta Lake.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, stages in COMMANDS.items():
        told = WHOLE.get(name, f"run the stage {stages[0]} alone")
        command = _add_command(commands, name, told)
        command.add_argument("--as-of", metavar="YYYY-MM-DD", help="first day not seen")
        command.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="SOURCE=PATH",
            help="where transactions, products or customers lie",
        )
        told_k = "take this K whatever the grid says; champion: as many segments as the champion has"
        command.add_argument("--k", type=_read_k, metavar="K", help=told_k)
        command.add_argument("--run-id", metavar="ID", help="repeat or go on with this run")
        if name in WHOLE:
            either = command.add_mutually_exclusive_group()
            either.add_argument(
                "--from",
                dest="former",
                metavar="RUN",
                help="take rows, features, and for another K the grid over from this run of the same sources; none does all anew",
            )
        if name == "run":
            either.add_argument(
                "--resume", action="store_true", help="go on after the last stage that ended of a run that did not"
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
    for name, told in VIEWS.items():
        command = _add_command(commands, name, told)
        command.add_argument("--run-id", "--run", metavar="ID", help="a published run; the newest by default")
        if name == "explain":
            command.add_argument("--customer", required=True, metavar="ID", help="the customer")
        if name == "show":
            command.add_argument("--csv", metavar="FILE", help="write segments and advice to a CSV file too")
    return parser


def _read_k(text: str) -> int | str:
    """Return a number of segments, or the word that means the champion's."""
    if text == CHAMPION:
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor {CHAMPION}") from None


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
