"""A DuckDB file of a warehouse's tables, and the dashboard over it as Superset imports it.

``python scripts/dashboard/make_database.py WAREHOUSE FOLDER`` writes ``FOLDER/segmentation.duckdb`` and ``FOLDER/dashboard.zip``.
No Spark and no DuckDB extension is needed. Tables that name customers stay where they are.
"""

import argparse
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from ruamel.yaml import YAML

from segmentation import catalogue
from segmentation.errors import SegmentationError
from segmentation.tables import CURRENT, EVERY, RUNS, Table
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.layout import arrow_schema

HERE = Path(__file__).resolve().parent
DATABASE = "segmentation.duckdb"
COLORS = "SELECT segment_name, color FROM current_segments ORDER BY segment_id"


def main(warehouse: str, folder: Path) -> None:
    """Write both files; whoever reads the database sees the former one until the new one is whole."""
    lake = Lake(None, warehouse.rstrip("/"), None, models="")
    if not lake.store.exists(RUNS):
        raise SegmentationError(warehouse, expected="a warehouse, with the table runs", found="none")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder.resolve() / DATABASE
    unfinished = target.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with duckdb.connect(str(unfinished)) as database:
        database.execute("SET TimeZone = 'UTC'")
        for table in shown_tables():
            copy_table(database, lake, table)
        add_words(database)
        database.execute((HERE / "views.sql").read_text())
        colors = dict(database.execute(COLORS).fetchall())
    if not colors:
        raise SegmentationError(warehouse, expected="a published run with segments", found="none")
    unfinished.replace(target)
    (folder / "dashboard.zip").write_bytes(pack_dashboard(target, colors))


def shown_tables() -> list[Table]:
    """Return the tables that name no customer; current_* are views here."""
    current = {table.name for table in CURRENT.values()}
    return [one for one in EVERY if one.name not in current and "customer_id" not in {column.name for column in one.columns}]


def copy_table(database: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> None:
    """Make a table with its comments, and fill it with what the warehouse has of it."""
    columns = ", ".join(f'"{one.name}" {one.type}' for one in table.columns)
    database.execute(f'CREATE TABLE "{table.name}" ({columns})')
    database.execute(f'COMMENT ON TABLE "{table.name}" IS {_quoted(table.comment)}')
    for one in table.columns:
        database.execute(f'COMMENT ON COLUMN "{table.name}"."{one.name}" IS {_quoted(one.comment)}')
    database.register("rows", pa.Table.from_pylist(lake.read_rows(table), arrow_schema(table)))
    database.execute(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM rows')
    database.unregister("rows")


def add_words(database: duckdb.DuckDBPyConnection) -> None:
    """Teach the database what people call each feature, as the report does, and how its values are spelled."""
    told = database.execute("SELECT category_shares FROM runs WHERE category_shares IS NOT NULL ORDER BY started_at")
    categories: dict[str, str] = {}
    for (text,) in told.fetchall():
        categories |= json.loads(text)

    def label(feature: str) -> str:
        return catalogue.label(feature, categories)

    database.create_function("label", label, ["VARCHAR"], "VARCHAR")
    database.create_function("spell", catalogue.spell, ["VARCHAR", "DOUBLE"], "VARCHAR")


def pack_dashboard(database: Path, colors: dict[str, str | None]) -> bytes:
    """Return Superset's import of the dashboard, for this database and with the segments' own colours."""
    yaml, packed = YAML(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted((HERE / "superset").rglob("*.yaml")):
            content: Any = yaml.load(path.read_text())
            if "sqlalchemy_uri" in content:
                content["sqlalchemy_uri"] = f"duckdb:///{database}"
            if "dashboard_title" in content:
                content["metadata"]["label_colors"] = {name: color for name, color in colors.items() if color}
            text = io.StringIO()
            yaml.dump(content, text)
            bundle.writestr(f"segmentation/{path.relative_to(HERE / 'superset')}", text.getvalue())
    return packed.getvalue()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warehouse", help="path of the warehouse, a folder or a place in an object store")
    parser.add_argument("folder", type=Path, help="where both files go")
    asked = parser.parse_args()
    try:
        main(asked.warehouse, asked.folder)
    except SegmentationError as error:
        sys.exit(str(error))
