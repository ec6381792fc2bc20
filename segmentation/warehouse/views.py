"""In a catalog ``current_*`` are views: all of them show the run that ``runs`` and ``champions`` make current.

So the one commit that publishes, promotes or rolls back moves all of them at once, and there is nothing to bring after it.
"""

from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession

from segmentation.frames import quoted
from segmentation.tables import CHAMPIONS, CURRENT, PUBLISHED, RUNS, Column, Table
from segmentation.warehouse.lake import Lake

_NO_RUN = "none"


def can_hold_views(spark: SparkSession, catalog_schema: str) -> bool:
    """Say whether the catalog of a schema has views at all; some have tables only."""
    try:
        spark.sql(f"SHOW VIEWS IN {catalog_schema}").collect()
    except AnalysisException as error:  # of another kind where the schema is yet to be made
        return not str(error.getCondition()).startswith("MISSING_CATALOG_ABILITY")
    return True


def make_views(lake: Lake) -> list[str]:
    """Make each view of ``CURRENT`` that is not there as it should be; tables of that name, of earlier versions, go.

    The tables that they show must be there.

    Returns
    -------
    list of str
        A line for each view that took the place of something else.
    """
    if not lake.store.exists(CHAMPIONS):  # a view cannot name what is not there, and the first promotion is to move it
        lake.write_rows([], CHAMPIONS, run_id=_NO_RUN)
    return [told for name, view in CURRENT.items() if (told := _make_view(lake, name, view))]


def _make_view(lake: Lake, shown: str, view: Table) -> str | None:
    place, former = lake.place(view), None
    question = _write_question(lake, shown, view)
    if lake.store.exists(view):
        described = lake.spark.sql(f"DESCRIBE TABLE EXTENDED {place}").collect()
        if _reads_as(described, view, question):
            return None
        former = "view"
        if "VIEW" not in _facts(described).get("Type", ""):
            former = "table"
            lake.drop(view)
    columns = ", ".join(f"`{one.name}` COMMENT '{quoted(one.comment)}'" for one in view.columns)
    lake.spark.sql(f"CREATE OR REPLACE VIEW {place} ({columns}) COMMENT '{quoted(view.comment)}' AS\n{question}")
    return f"{view.name}: the {former} of an earlier version is replaced by a view" if former else None


def _write_question(lake: Lake, shown: str, view: Table) -> str:
    """Return the query of a view: the rows of ``shown`` of the newest published run, with a champion the newest of its own.

    The run is a subquery, which leaves out the folders of all other runs; a join would read them.
    """
    source = f"{lake.catalog_schema}.{shown}"
    stored = set(lake.spark.table(source).columns)
    scored_with = "r.scored_with" if "scored_with" in lake.spark.table(lake.place(RUNS)).columns else "NULL"
    columns = ",\n  ".join(_pick(one, is_stored=one.name in stored) for one in view.columns)
    return f"""SELECT
  {columns}
FROM {source}
WHERE run_id = (
  SELECT max_by(r.run_id, r.published_seq)
  FROM {lake.place(RUNS)} r
  CROSS JOIN (SELECT max_by(run_id, seq) AS run_id FROM {lake.place(CHAMPIONS)} WHERE taken_back_at IS NULL) c
  WHERE r.status = '{PUBLISHED}' AND (c.run_id IS NULL OR c.run_id IN (r.run_id, {scored_with}))
)"""


def _pick(one: Column, *, is_stored: bool) -> str:
    """Return a column of a view; one that a table of an earlier version lacks is null."""
    return f"`{one.name}`" if is_stored else f"CAST(NULL AS {one.type}) AS `{one.name}`"


def _reads_as(described: list[Row], view: Table, question: str) -> bool:
    """Say whether a table as its catalog describes it is the view that is wanted, comments of columns included."""
    columns = [(row["col_name"], row["comment"]) for row in described[: len(view.columns)]]
    facts = _facts(described)
    is_alike = columns == [(one.name, one.comment) for one in view.columns]
    return is_alike and facts.get("View Text") == question and facts.get("Comment") == view.comment


def _facts(described: list[Row]) -> dict[str, str]:
    return {row["col_name"]: row["data_type"] for row in described}
