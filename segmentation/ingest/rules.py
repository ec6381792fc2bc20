"""Conditions of a user's own that good rows fulfil: read alone, refused where they reach beyond the row, counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.errors import ConfigError, QualityError
from segmentation.ingest.reasons import add_reasons, is_kept
from segmentation.tables import Rows

# They call Java, read files, or answer otherwise the next time.
_REFUSED = {
    *(
        "reflect",
        "java_method",
        "try_reflect",
        "read_files",
        "try_read_files",
        "http_request",
        "secret",
        "try_secret",
        "ai_query",
    ),
    *("rand", "random", "randn", "randstr", "uuid", "shuffle", "monotonically_increasing_id", "spark_partition_id", "version"),
    *("now", "current_date", "curdate", "current_time", "current_timestamp", "localtimestamp", "unix_timestamp"),
    *("user", "current_user", "session_user", "current_catalog", "current_database", "current_schema"),
    *("input_file_name", "input_file_block_start", "input_file_block_length", "assert_true", "raise_error"),
}


@dataclass(frozen=True)
class Condition:
    """A rule of the configuration, as plain values."""

    name: str
    expression: str
    action: Literal["warn", "quarantine", "fail"]
    max_share: float

    @property
    def column(self) -> str:
        """The column that says whether a row does not fulfil it."""
        return f"_breaks {self.name}"


def judge_conditions(frame: DataFrame, conditions: Sequence[Condition], *, source: str) -> DataFrame:
    """Say of each row which conditions it does not fulfil, null being unfulfilled, and set it aside where that is asked.

    Raises
    ------
    ConfigError
        If an expression is none of Spark SQL, names a column that is not declared, is no condition, calls what reaches
        beyond the row, or asks another table.
    """
    for one in conditions:
        _check(frame, one, source)
    broken: dict[str, Column] = {one.column: ~F.coalesce(F.expr(one.expression), F.lit(False)) for one in conditions}
    aside = [(one.name, F.col(f"`{one.column}`")) for one in conditions if one.action == "quarantine"]
    judged = frame.withColumns(broken) if broken else frame
    return add_reasons(judged, aside) if aside else judged


def breaches(conditions: Sequence[Condition]) -> list[Column]:
    """Return the counts of rows, otherwise kept, that do not fulfil a condition, as aggregates beside ``tallies``."""
    counted = (one for one in conditions if one.action != "quarantine")
    return [F.count_if(is_kept() & F.col(f"`{one.column}`")).alias(one.column) for one in counted]


def check_breaches(conditions: Sequence[Condition], broken: Mapping[str, int], *, rows: int, source: str) -> Rows:
    """Return rows of ``tables.CHECKS`` about conditions that rows of a source do not fulfil.

    Parameters
    ----------
    broken : rows that do not fulfil a condition, by its name
    rows : rows read

    Raises
    ------
    QualityError
        If a condition that is to fail is not fulfilled by every row, or another one by too few.
    """
    checks = []
    for one in conditions:
        found = broken.get(one.name, 0)
        most = 0.0 if one.action == "fail" else one.max_share
        if found > most * rows:
            raise QualityError(
                f"rules.{one.name}",
                expected=f"{one.expression} in {'every row' if most == 0 else f'all but {most:.0%} of the rows'}",
                found=f"{found:,} of {rows:,} rows of {source} where it does not hold",
            )
        if found:
            said = f"{found:,} rows of {source} do not fulfil {one.expression}"
            subject = {"stage": "ingest", "check": "rule", "subject": one.name}
            checks.append({**subject, "rows": found, "share": found / rows, "said": said})
    return checks


def _check(frame: DataFrame, one: Condition, source: str) -> None:
    place = f"rules.{one.name}.expression"
    spark: Any = frame.sparkSession
    try:
        parsed = spark._jsparkSession.sessionState().sqlParser().parseExpression(one.expression)
        for node in _walk(parsed):
            kind = str(node.getClass().getSimpleName())
            function = str(node.nameParts().mkString(".")).lower() if kind == "UnresolvedFunction" else ""
            is_query = "Subquery" in kind or kind in ("Exists", "ListQuery", "InSubquery")
            if is_query or function.rpartition(".")[2] in _REFUSED:
                found = f"a question to another table in {one.expression}" if is_query else f"{function}()"
                raise ConfigError(place, expected="a condition on the row alone", found=found)
        frame.where(F.expr(one.expression)).schema  # noqa: B018  analysed, not run
    except ParseException as error:
        raise ConfigError(place, expected="a condition in Spark SQL", found=f"{one.expression} ({_first_line(error)})") from None
    except AnalysisException as error:
        columns = ", ".join(name for name in frame.columns if not name.startswith("_"))
        raise ConfigError(
            place, expected=f"a condition on the columns {columns} of {source}", found=f"{one.expression} ({_first_line(error)})"
        ) from None


def _walk(node: Any) -> Iterator[Any]:
    yield node
    children = node.children()
    for place in range(children.size()):
        yield from _walk(children.apply(place))


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no word of the cause")[:200]
