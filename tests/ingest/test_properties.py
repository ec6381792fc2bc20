"""Made-up input of every kind: no row is lost or invented, nothing takes for ever, and a plain reader agrees."""

import csv
import io
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.files import read_source
from segmentation.tables import MONEY, decimal_digits

COLUMNS = (
    SourceColumn("customer_id", ("id",), "text"),
    SourceColumn("ordered_at", ("day",), "instant"),
    SourceColumn("amount", ("amount",), "money"),
)
BLANKS = " \t\r\n\u00a0\u200b\ufeff"
# Values of each column: sound, broken, hostile or empty.
KEYS = ["1", "00123", "17850.0", "", " 7 ", "\u00a08", "é", "e\u0301", "=1+1", "x" * 300, "a`b", "'; DROP x", "\x00y", "NULL"]
DAYS = ["", "2020", "2020-05", "10:30", "46023", "2020-02-30", "31/12/2020", "0000-00-00", "now", "2020-1-2", "epoch"]
AMOUNTS = ["", "NaN", "inf", "1e3", "1e300", "12abc", "1,5", "--1", "0.0000005", "999999999999.999999", "1e12", "+.5", "٣"]
ids = st.one_of(st.sampled_from(KEYS), st.text(st.characters(codec="utf-8"), max_size=12))
instants = st.datetimes().map(lambda instant: instant.isoformat(sep=" ", timespec="seconds"))
days = st.one_of(st.dates().map(str), instants, st.sampled_from(DAYS))
amounts = st.one_of(st.decimals(min_value=-(10**6), max_value=10**6, places=2).map(str), st.sampled_from(AMOUNTS))
records = st.lists(st.tuples(ids, days, amounts), min_size=1, max_size=12)


def read(spark: SparkSession, path: Path, **options: Any) -> list[dict[str, Any]]:
    spec = SourceSpec.model_validate({"format": "csv", "path": str(path), "multiline": True, **options})
    with readable("sources.transactions"):
        return [row.asDict() for row in read_source(spark, "transactions", spec, COLUMNS).collect()]


@given(rows=records)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_what_a_plain_reader_reads_is_what_is_kept(jvm: SparkSession, tmp_path_factory: Any, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path_factory.mktemp("made") / "t.csv"
    target = io.StringIO()
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("id", "day", "amount"), *rows])
    path.write_bytes(target.getvalue().encode())
    text = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))[1:]

    found = read(jvm, path)

    assert len(found) == len(text) == len(rows)  # none lost, none invented
    kept = [row for row in found if row["_is_kept"]]
    assert all(row["_reasons"] for row in found if not row["_is_kept"])
    known = {one[0].strip(BLANKS) for one in text}
    assert {row["customer_id"] for row in kept} - {None} <= known  # byte for byte
    plain = sorted(map(str, (plainly(one) for one in text if plainly(one) is not None)))
    assert sorted(str((row["customer_id"], row["ordered_at"], row["amount"])) for row in kept) == plain


def plainly(record: list[str]) -> tuple[Any, ...] | None:
    """Return a record as Python's own types read it, None of one that is broken: the second opinion."""
    key, day, amount = (value.strip(BLANKS) or None for value in record)
    if key and any((ord(letter) < 32 and letter not in "\t\n\r") or letter in "\x7f\ufffd" for letter in key):
        return None
    instant = plain_instant(day) if day else None
    money = plain_money(amount) if amount else None
    return None if (day and instant is None) or (amount and money is None) else (key, instant, money)


def plain_instant(text: str) -> datetime | None:
    try:
        instant = datetime.strptime(text, "%Y-%m-%d %H:%M:%S" if " " in text else "%Y-%m-%d")
    except ValueError:
        return None
    return instant if datetime(1900, 1, 1) <= instant <= datetime(2200, 1, 1) else None


def plain_money(text: str) -> Decimal | None:
    digits, scale = decimal_digits(MONEY) or (0, 0)
    try:
        money = Decimal(text).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except InvalidOperation:
        return None
    return money if money.is_finite() and abs(money) < 10 ** (digits - scale) else None


@given(content=st.one_of(st.binary(max_size=200), st.text("id,day\"\n\r1;'\\", max_size=200).map(str.encode)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_any_bytes_are_read_or_refused_in_a_line(jvm: SparkSession, tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "t.csv"
    path.write_bytes(b"id,day,amount\n" + content)

    for multiline in (False, True):
        try:
            rows = read(jvm, path, multiline=multiline)
        except SourceError as error:
            told = str(error)
            rows = []
        else:
            told = ""
        assert "\n" not in told
        assert len(told) < 1000
        assert all(row["_is_kept"] == (row["_reasons"] == "") for row in rows)
        assert len(rows) <= content.count(b"\n") + content.count(b"\r") + 1
