"""The stages in order; each reads its tables and writes its tables. Floor 3."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse

from pyspark.sql import SparkSession

from segmentation.config import Config
from segmentation.errors import PublishError
from segmentation.lake import RUN_ID_PATTERN, Lake
from segmentation.progress import Progress
from segmentation.stages import clustering, ingestion, interpretation, reporting
from segmentation.stages.run import Run

Stage = Callable[[Run], str]
STAGES: dict[str, Stage] = {
    "ingest": ingestion.ingest,
    "build_features": ingestion.build_features,
    "fit_grid": clustering.fit_grid,
    "assign_customers": clustering.assign_customers,
    "profile_segments": interpretation.profile_segments,
}


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    config: Config
    run_id: str
    stages: tuple[str, ...]
    draws: bool = False  # the report, once the run is published


def execute(spark: SparkSession, request: Request, progress: Progress) -> Run:
    """Run the stages asked for, in one session, and return what is known of the run."""
    config = request.config
    run = Run(
        run_id=request.run_id,
        config=config,
        lake=open_lake(spark, config),
        started_at=datetime.now(UTC),
    )
    with run.lake.locked():
        for name in request.stages:
            with progress.stage(name, spark.sparkContext) as told:
                told.append(STAGES[name](run))
        if request.draws:
            with progress.stage("draw_report", spark.sparkContext) as told:
                told.append(redraw(spark, config, run.run_id))
    return run


def redraw(spark: SparkSession, config: Config, run_id: str | None) -> str:
    """Draw the report of a published run, by default the newest; return where it lies."""
    return reporting.save_report(reporting.find_published(open_lake(spark, config), run_id))


def read_told(spark: SparkSession, config: Config, run_id: str | None) -> dict[str, reporting.Rows]:
    """Return the segments, traits and advice of a published run, by default the newest."""
    return reporting.read_told(reporting.find_published(open_lake(spark, config), run_id))


def open_lake(spark: SparkSession, config: Config) -> Lake:
    """Return the warehouse of a configuration."""
    warehouse = config.warehouse
    path = _absolute(warehouse.path) if warehouse.path else None
    return Lake(spark, path, warehouse.catalog_schema, _absolute(warehouse.models or f"{path}/models"))


def _absolute(path: str) -> str:
    """Return a path that means the same to every reader; a URI stays as it is."""
    return (path if urlparse(path).scheme else str(Path(path).absolute())).rstrip("/")


def make_request(config: Config, run_id: str | None, stages: tuple[str, ...], *, draws: bool = False) -> Request:
    """Return a request with the run id asked for, or with a new one where the run begins.

    Raises
    ------
    PublishError
        If a later stage has no run to go on with, or the id has other characters than a file name allows.
    """
    if run_id is None:
        if "ingest" not in stages:
            raise PublishError("--run-id", expected="the run that ingest began", found="none")
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z-{config.fingerprint()[:6]}"
    if not RUN_ID_PATTERN.fullmatch(run_id):
        raise PublishError("--run-id", expected="letters, digits and ._:+-, at most 100", found=repr(run_id))
    return Request(config, run_id, stages, draws)
