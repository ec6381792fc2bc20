"""The stages in order; each reads its tables and writes its tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from segmentation.advice.stage import advise
from segmentation.assign.stage import assign_customers
from segmentation.config.schema import Config
from segmentation.errors import PublishError
from segmentation.features.stage import build_features
from segmentation.grid.stage import fit_grid
from segmentation.ingest.stage import ingest
from segmentation.progress import Progress
from segmentation.publish.stage import publish
from segmentation.report.stage import find_published, save_report
from segmentation.run import Run
from segmentation.segments.stage import describe_segments
from segmentation.warehouse.lake import open_lake
from segmentation.warehouse.layout import RUN_ID_PATTERN

Stage = Callable[[Run], str]
STAGES: dict[str, Stage] = {
    "ingest": ingest,
    "features": build_features,
    "grid": fit_grid,
    "assign": assign_customers,
    "segments": describe_segments,
    "advice": advise,
    "publish": publish,
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
        lake=open_lake(config.warehouse, spark),
        started_at=datetime.now(UTC),
    )
    with run.lake.locked():
        try:
            for name in request.stages:
                with progress.stage(name, spark.sparkContext) as told:
                    told.append(STAGES[name](run))
        finally:
            run.let_go()
            run.hands.frames.clear()
        if request.draws:
            with progress.stage("report", spark.sparkContext) as told:
                told.append(save_report(find_published(run.lake, run.run_id)))
    return run


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
