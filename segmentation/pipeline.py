"""The stages in order; each reads its tables and writes its tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from segmentation import reuse
from segmentation.advice.stage import advise
from segmentation.assign.stage import assign_customers
from segmentation.config.schema import Config
from segmentation.errors import PublishError, SegmentationError
from segmentation.faults import explain
from segmentation.features.stage import build_features
from segmentation.gauge import named_jobs
from segmentation.grid.stage import fit_grid
from segmentation.ingest.stage import ingest
from segmentation.metrics import gathered, measured
from segmentation.progress import Progress
from segmentation.publish.stage import publish
from segmentation.readings import check_frozen
from segmentation.report.stage import find_published, save_report
from segmentation.run import Run, end_stage, fail_run, find_unfinished, read_run
from segmentation.segments.stage import describe_segments
from segmentation.tables import PUBLISHED
from segmentation.warehouse.champions import count_segments, find_model
from segmentation.warehouse.lake import Lake, open_lake
from segmentation.warehouse.layout import RUN_ID_PATTERN
from segmentation.warehouse.mending import finish_publication

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
    resumes: bool = False  # goes on after the last stage that ended
    model: str | None = None  # the run whose model scores, or the word champion; None trains one
    has_champions_k: bool = False  # as many segments as the champion has, whatever the grid says
    former: str | None = None  # the run to take over what is unchanged; None is the newest that fits


def execute(spark: SparkSession, request: Request, progress: Progress) -> Run:
    """Run the stages asked for, in one session, and return what is known of the run."""
    config, lake = request.config, open_lake(request.config.warehouse, spark)
    with lake.locked(f"run {request.run_id or 'that is resumed'}"):
        with named_jobs(spark.sparkContext, "start"):
            for mended in finish_publication(lake):
                progress.say(mended, event="mended")
            run_id, stages = _find_work(lake, request)
            progress.about(run_id)
            if request.has_champions_k:
                config = config.model_copy(update={"k": count_segments(lake)})
            model = find_model(lake, request.model) if request.model else None
            former = None
            if {"ingest", "publish"} <= set(stages) and not request.resumes:
                former = reuse.find_former(lake, config, run_id=run_id, asked=request.former, model=model)
            taken_from = former.run_id if former else None
            run = Run(run_id, config, lake, datetime.now(UTC), scored_with=model, taken_from=taken_from)
            if model is not None:
                _check_score(run)
            if former is not None:
                progress.say(str(former), event="taken_over")
        work = STAGES if former is None else STAGES | former.stages
        with gathered(run):
            try:
                for name in stages:
                    with _watched(run, name, progress) as told, _accounted(run, name):
                        told.append(work[name](run))
            finally:
                run.let_go()
                run.hands.frames.clear()
                run.hands.tables.clear()
            if request.draws:
                with _watched(run, "report", progress) as told:
                    told.append(save_report(find_published(run.lake, run.run_id)))
    return run


@contextmanager
def _watched(run: Run, stage: str, progress: Progress) -> Iterator[list[str]]:
    """Report a stage while it works, name its Spark jobs, and write down what it took."""
    context = run.lake.spark.sparkContext
    with progress.stage(stage, context) as told, named_jobs(context, stage) as group:
        with measured(run, stage, group) as figures:
            yield told
        told.figures |= figures


def _check_score(run: Run) -> None:
    """Refuse to score before any work: into a run with a model of its own, or with what the configuration does not compute."""
    place, known = f"--run-id {run.run_id}", read_run(run)
    if run.run_id == run.scored_with:
        raise PublishError(place, expected="another run than the model's", found="the same")
    if known is not None and known["status"] != PUBLISHED and known["scored_with"] is None:  # its model would be left behind
        raise PublishError(place, expected="a new run, or a score", found=f"a run that trains a model, {known['status']}")
    check_frozen(run)


def _find_work(lake: Lake, request: Request) -> tuple[str, tuple[str, ...]]:
    """Return the run and the stages to do: all asked for, or of a run that is resumed those that did not end."""
    if not request.resumes:
        return request.run_id, request.stages
    run_id, finished = find_unfinished(lake, request.config, request.run_id or None)
    names = list(STAGES)
    return run_id, tuple(names[names.index(finished) + 1 :] if finished in names else names)


@contextmanager
def _accounted(run: Run, stage: str) -> Iterator[None]:
    """Write into ``runs`` how a stage ended; a run that failed says why."""
    try:
        yield
    except BaseException as error:
        told = explain(error)
        why = str(told) if told else type(error).__name__
        with suppress(SegmentationError):  # a warehouse that cannot be written is what the error tells already
            fail_run(run, stage, why)
        raise
    end_stage(run, stage)


def make_request(
    config: Config, run_id: str | None, stages: tuple[str, ...], *, draws: bool = False, resumes: bool = False
) -> Request:
    """Return a request with the run id asked for, or with a new one where the run begins; without one it may resume any.

    Raises
    ------
    PublishError
        If a later stage has no run to go on with, or the id has other characters than a file name allows.
    """
    if run_id is None and resumes:
        return Request(config, "", stages, draws, resumes)
    if run_id is None:
        if "ingest" not in stages:
            raise PublishError("--run-id", expected="the run that ingest began", found="none")
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z-{config.fingerprint()[:6]}"
    if not RUN_ID_PATTERN.fullmatch(run_id):
        raise PublishError("--run-id", expected="letters, digits and ._:+-, at most 100", found=repr(run_id))
    return Request(config, run_id, stages, draws, resumes)
