"""What ``profile_segments`` finds out about the segments, a few Spark jobs side by side."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import types as T

from segmentation.advice.actions import Figures
from segmentation.clustering.preparation import MISSING_LEVEL, Ingredient
from segmentation.parallel import side_by_side
from segmentation.run import Run
from segmentation.segments.exemplars import EXEMPLARS_PER_SEGMENT, Exemplar, name_exemplars
from segmentation.segments.histograms import Bar, Scale, build_histograms, count_bins
from segmentation.segments.naming import (
    DIMENSIONS,
    PACE,
    PALETTE,
    PATIENCE,
    Population,
    Portrait,
    find_archetype,
    find_levels,
    name_segments,
)
from segmentation.segments.profiles import SHARES, SegmentSize, Statistic, Summarised, read_flags, read_quantiles
from segmentation.segments.segment_map import project_points, sample_members
from segmentation.segments.tree_rules import Question, SegmentRule, learn_rules
from segmentation.tables import CENTROIDS
from segmentation.traits import Trait
from segmentation.warehouse.questions import find_nearest

# Names and advice look at these wherever there are orders, whatever ``features.use`` shows.
ORDER_DIMENSIONS = (*(one.feature for one in DIMENSIONS), PACE)


@dataclass(frozen=True)
class Summary:
    """The collected aggregates: a row per segment and one for the population, and customers per category level."""

    rows: Sequence[Summarised]
    levels: Sequence[Row]
    numbers: tuple[str, ...]
    sizes: tuple[SegmentSize, ...]

    @property
    def population(self) -> Summarised:
        return next(row for row in self.rows if row["segment_id"] is None)

    def quantiles(self) -> dict[str, tuple[float, ...]]:
        return read_quantiles(self.population, numbers=self.numbers)

    def figures(self, segment_id: int | None) -> Figures:
        """Return medians and means of a segment, or of the population (None)."""
        row = next(row for row in self.rows if row["segment_id"] == segment_id)
        own = read_quantiles(row, numbers=self.numbers)
        medians = {name: own[name][SHARES.index(0.5)] if name in own else None for name in self.numbers}
        means = {name: row[f"n{place}"]["mean"] for place, name in enumerate(self.numbers)}
        return Figures(medians, means, own[PACE][SHARES.index(PATIENCE)] if PACE in own else None)

    def usual_gap(self) -> int | None:
        """Return the days that half of the customers who came back wait between orders at most; None without any."""
        gap = self.quantiles().get(PACE)
        return max(1, math.ceil(gap[SHARES.index(0.5)])) if gap else None


@dataclass(frozen=True)
class Findings:
    """Rows of the tables that explain the segments, without their run."""

    rules: list[SegmentRule]
    exemplars: list[Exemplar]
    bars: list[Bar]
    points: list[dict[str, Any]]
    axes: list[dict[str, Any]]


def explore(
    run: Run,
    members: DataFrame,
    summary: Summary,
    *,
    ingredients: Sequence[Ingredient],
    shown: Sequence[str],
    name: Callable[[str], str] | None,
) -> Findings:
    """Learn rules, find exemplars, count bins and draw the map, side by side.

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` with ``features`` (vector) and ``segment_id``, cached
    ingredients : what was clustered on
    shown : numbers that get a histogram
    name : what an exemplar is called by its id; None for no exemplars
    """
    scales = _scales(run, summary, shown)
    work: list[Callable[[], Any]] = [
        partial(_learn, members, summary, ingredients),
        partial(_draw_map, run, members),
        count_bins(members, scales).collect if scales else list,
        partial(_find_exemplars, run, summary) if name else list,
    ]
    rules, (points, axes), bins, exemplars = side_by_side(run.lake.spark, lambda job: job(), work)
    return Findings(
        rules=rules,
        exemplars=name_exemplars(exemplars, name) if name else [],
        bars=build_histograms(bins, scales, segments=[size.segment_id for size in summary.sizes]),
        points=points,
        axes=axes,
    )


def _find_exemplars(run: Run, summary: Summary) -> list[dict[str, Any]]:
    reader = run.lake.reader(summary.population["customers"])
    return find_nearest(reader, run.run_id, per_segment=EXEMPLARS_PER_SEGMENT)


def _scales(run: Run, summary: Summary, shown: Sequence[str]) -> dict[str, Scale]:
    quantiles, use = summary.quantiles(), run.config.features.use
    shares = run.config.features.category_shares
    scales = {}
    for name in shown:
        if name in quantiles:
            log = use[name].log if name in use else bool(shares and shares.preparation.log)
            scales[name] = Scale(quantiles[name][0], quantiles[name][-1], log)
    return scales


def _learn(members: DataFrame, summary: Summary, ingredients: Sequence[Ingredient]) -> list[SegmentRule]:
    # Of attributes read as numbers nobody has said that they are whole.
    whole = {field.name for field in members.schema if isinstance(field.dataType, T.IntegralType)}
    questions = [found for one in ingredients if (found := _question(one, summary, one.name in whole)) is not None]
    sizes = {size.segment_id: size.customers for size in summary.sizes}
    return learn_rules(members, questions, sizes=sizes, missing=MISSING_LEVEL) if questions else []


def _question(one: Ingredient, summary: Summary, is_whole: bool) -> Question | None:
    """Return how the tree asks for an ingredient, None of one without values."""
    if one.kind != "number":
        found = sorted({row["level"] for row in summary.levels if row["feature"] == one.name})
        is_missing = MISSING_LEVEL in found
        if one.kind == "category":
            return Question(one.name, "category", levels=tuple(found))
        return Question(one.name, "ordinal", levels=one.order, unknown=-1.0 if is_missing else 0.0)
    seen = summary.population[f"n{summary.numbers.index(one.name)}"]
    if seen["lowest"] is None:
        return None
    lowest, highest = seen["lowest"], seen["highest"]
    is_missing = seen["present"] < summary.population["customers"]
    return Question(
        one.name,
        "number",
        is_whole=is_whole,
        unknown=lowest - (highest - lowest) - 1 if is_missing else lowest,
        lowest=lowest,
    )


def _draw_map(run: Run, members: DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of ``segment_map`` and ``map_axes``."""
    sample = sample_members(members).select("segment_id", "features").collect()
    first = [row for row in run.read_rows(CENTROIDS) if row["segment_id"] == 0 and row["position"] is not None]
    features = [row["feature"] for row in sorted(first, key=lambda row: row["position"])]
    points, axes = project_points([row["features"].toArray() for row in sample])
    places = [{"segment_id": row["segment_id"], "x": x, "y": y} for row, (x, y) in zip(sample, points.tolist(), strict=True)]
    meanings = [
        {"axis": axis.name, "feature": feature, "loading": loading, "explained_share": axis.explained_share}
        for axis in axes
        for feature, loading in zip(features, axis.loadings, strict=True)
    ]
    return places, meanings


def find_traits(summary: Summary, profiles: Sequence[Statistic]) -> dict[int, list[Trait]]:
    """Return every segment's difference from the population in each feature and level of ``profiles``."""
    flags = read_flags(summary.population, numbers=summary.numbers)
    values: dict[int, dict[str, dict[str, float | None]]] = {size.segment_id: {} for size in summary.sizes}
    for row in profiles:
        values[row.segment_id].setdefault(row.feature, {})[row.statistic] = row.value
    traits: dict[int, list[Trait]] = {}
    for segment, features in values.items():
        traits[segment] = []
        for feature, found in features.items():
            own = found.get("mean", found.get("share"))
            everyone = found.get("population_mean", found.get("population_share"))
            effect = found["z"]
            # Who is missing a value says more of the data than of the customer.
            is_missing = feature.endswith(f"={MISSING_LEVEL}")
            if own is not None and everyone is not None and effect is not None and not is_missing:
                traits[segment].append(Trait(feature, own, everyone, effect, feature in flags))
    return traits


def paint_portraits(
    run: Run, summary: Summary, traits: Mapping[int, Sequence[Trait]], clustered: Sequence[str]
) -> dict[int, Portrait]:
    """Return what each segment is named after: an archetype where there are orders, and traits of what it was formed by."""
    population = Population(SHARES, summary.quantiles())
    portraits = {}
    for segment, own in traits.items():
        archetype = None
        if run.config.sources.transactions is not None:
            archetype = find_archetype(find_levels(summary.figures(segment).medians, own, population))
        kept = tuple(trait for trait in own if trait.subject in clustered or trait.subject not in run.config.features.use)
        portraits[segment] = Portrait(archetype, kept)
    return portraits


def name_all(run: Run, portraits: Mapping[int, Portrait]) -> dict[int, tuple[str, str]]:
    """Return each segment's name and colour, those of the configuration first."""
    names = name_segments(portraits, given=run.config.segments.names)
    colors = run.config.segments.colors
    return {segment: (name, colors.get(segment, PALETTE[segment % len(PALETTE)])) for segment, name in names.items()}
