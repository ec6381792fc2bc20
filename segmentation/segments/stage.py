"""``features``, ``assignments`` and the model to all that describes the segments."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from segmentation.catalogue import MISSING_LEVEL, ORDER_DIMENSIONS, label
from segmentation.config.schema import Config
from segmentation.errors import ConfigError
from segmentation.frames import Customers
from segmentation.looks import carry_segments, keep, keep_again, lay_over
from segmentation.palette import PALETTE
from segmentation.parallel import side_by_side
from segmentation.readings import choose_ingredients, computed_shares, find_members
from segmentation.run import Run, check_featured
from segmentation.segments.exemplars import EXEMPLARS_PER_SEGMENT, name_exemplars, pseudonymise
from segmentation.segments.here import count_bins_here, sample_members_here, summarise_levels_here, summarise_numbers_here
from segmentation.segments.hidden import (
    find_hidden_groups,
    guard_bars,
    guard_members,
    guard_rules,
    guard_segments,
    guard_values,
)
from segmentation.segments.histograms import Scale, build_histograms, count_bins
from segmentation.segments.naming import Portrait, name_segments
from segmentation.segments.neighbours import collect_sample, find_neighbours, summarise_neighbours
from segmentation.segments.profiles import (
    SegmentSize,
    build_profiles,
    read_flags,
    read_sizes,
    summarise_levels,
    summarise_numbers,
)
from segmentation.segments.representation import count_representation
from segmentation.segments.segment_map import MOST_POINTS, draw_map, sample_members
from segmentation.segments.summary import Summary
from segmentation.segments.tree_rules import Question, SegmentRule, learn_rules, measure_rules
from segmentation.small_groups import find_hidden
from segmentation.tables import (
    CENTROIDS,
    EXEMPLARS,
    FIGURES,
    GRID,
    GRID_CENTROIDS,
    HISTOGRAMS,
    LINEAGE,
    MAP_AXES,
    NEIGHBOURS,
    PROFILES,
    REPRESENTATION,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    TRAITS,
    Rows,
)
from segmentation.traits import Trait, describe_segment, rank_rows, read_traits
from segmentation.warehouse.questions import find_nearest

KEY_VARIABLE = "SEGMENTATION_PSEUDONYM_KEY"
MOST_SHIFT = 0.5  # standard deviations, beyond which a segment that traits name is another kind
_SHORTEST_KEY = 16


def describe_segments(run: Run) -> str:
    """Profile the segments, find what sets them apart, name them, and show examples, rules, distributions and a map."""
    known, config = check_featured(run), run.config
    name = exemplar_names(config.segments.exemplars)
    numbers, texts = _described(config)
    audited = config.audited
    categories = computed_shares(known)
    numbers += categories
    run.step("profiles")
    members = find_members(run, known)
    run.let_go(but=members)
    summary = _summarise(config, members, numbers, [*texts, *audited], known["customers"])
    ingredients = choose_ingredients(run, known)
    profiles, flags, portraits = _portray(run, known, summary)
    asked = [summary.question(one, label(one.name, categories)) for one in ingredients]
    scales = summary.scales(numbers, _logs(config, known))
    nearest = partial(find_nearest, run.lake.reader(known["customers"]), run.run_id, per_segment=EXEMPLARS_PER_SEGMENT)
    work: list[Callable[[], Any]] = [
        partial(_learn, members, [one for one in asked if one is not None], summary.sizes) if run.scored_with is None else list,
        lambda: draw_map(*_sample(members), _clustered_columns(run)),
        partial(_count_bins, members, scales) if scales else list,
        nearest if name else list,
        partial(_name_neighbours, run, known, members) if run.scored_with is None else list,
    ]
    run.step("rules, map, histograms, exemplars")
    rules, (points, axes), bins, examples, neighbours = side_by_side(run.lake.spark, lambda job: job(), work)
    sizes = {size.segment_id: size.customers for size in summary.sizes}
    # Names say no number and come from all that is known; what is written shows no small group.
    hidden = find_hidden_groups(summary, bins, scales, flags=flags, min_cell=config.privacy.min_cell)
    shown = guard_values(profiles, hidden, columns=("value",))
    told = read_traits(shown, flags=flags, categories=categories)
    counted = guard_segments(_segment_rows(summary.sizes, told, portraits), hidden, revenue=config.revenue_feature)
    of_model = [(guard_rules(rules, hidden, sizes=sizes), SEGMENT_RULES), (neighbours, NEIGHBOURS)]
    bars = [asdict(one) for one in build_histograms(bins, scales, segments=list(sizes))]
    nearby = [asdict(one) for one in name_exemplars(examples, name)] if name else []
    counts = count_representation(summary.levels, sizes, audited=audited, hidden=hidden)
    run.write_rows(
        (shown, PROFILES),
        (guard_values(summary.figures(), hidden, columns=("mean", "median", "p90")), FIGURES),
        (_name(run, counted), SEGMENTS),
        (rank_rows(told), TRAITS),
        (guard_members(nearby, hidden), EXEMPLARS),
        *(of_model if run.scored_with is None else []),
        (guard_bars(bars, hidden), HISTOGRAMS),
        (guard_members(points, hidden), SEGMENT_MAP),
        (axes, MAP_AXES),
        *([(counts, REPRESENTATION)] if audited else []),
    )
    return f"{len(sizes)} segments of {known['customers']:,} customers"


def _name(run: Run, counted: Rows) -> Rows:
    """Return rows of ``tables.SEGMENTS`` as they are called and painted: as the model's run has it, or as the configuration does.

    Named at once: a published run that is repeated never shows other names in between.
    """
    if run.scored_with:
        return carry_segments(run.read_model_rows(SEGMENTS), counted)
    lineage, looks = run.read_rows(LINEAGE), run.config.segments
    before = {row["previous_run_id"] for row in lineage} - {None}
    former = run.lake.read_rows(SEGMENTS, run_ids=sorted(before)) if before else []
    own = run.lake.read_rows(SEGMENTS, run_ids=[run.run_id]) if before and not former else []  # what was before, was dropped
    known_again = keep_again(counted, own) if own else keep(counted, lineage, former, most_shift=MOST_SHIFT)
    return lay_over(known_again, names=looks.names, colors=looks.colors)


def _portray(run: Run, known: dict[str, Any], summary: Summary) -> tuple[Rows, set[str], dict[int, Portrait]]:
    """Return the rows of ``tables.PROFILES``, which numbers are flags, and what each segment is named after."""
    config, categories = run.config, computed_shares(known)
    numbers = [*_described(config)[0], *categories]
    shown = [row for row in summary.levels if row["feature"] not in config.audited]
    profiles = [vars(row) for row in build_profiles(summary.rows, shown, numbers=numbers)]
    flags = read_flags(summary.population, numbers=summary.numbers)
    traits = read_traits(profiles, flags=flags, categories=categories)
    portraits = summary.portraits(
        traits,
        clustered=[one.name for one in choose_ingredients(run, known)],
        described=config.features.use,
        has_orders=config.sources.transactions is not None,
    )
    return profiles, flags, portraits


def _name_neighbours(run: Run, known: dict[str, Any], members: DataFrame) -> Rows:
    """Return the rows of ``tables.NEIGHBOURS``."""
    chosen = next(row["k"] for row in run.read_rows(GRID) if row["is_chosen"])
    neighbours = find_neighbours(run.read_rows(GRID_CENTROIDS), k=chosen)
    numbers, texts = _described(run.config)
    asked = _asked(run.config, [*numbers, *computed_shares(known)])
    if not neighbours:
        return []
    sample = collect_sample(members, numbers=asked, categories=texts, customers=known["customers"])
    rows = []
    for k, summary in summarise_neighbours(sample, neighbours, numbers=asked, categories=texts, missing=MISSING_LEVEL):
        names = name_segments(_portray(run, known, summary)[2])
        shares = {size.segment_id: size.customers / sample.num_rows for size in summary.sizes}
        few = find_hidden({one: round(share * known["customers"]) for one, share in shares.items()}, run.config.privacy.min_cell)
        rows += [
            {"k": k, "segment_id": one, "segment_name": names[one], "customer_share": None if one in few else share}
            for one, share in shares.items()
        ]
    return rows


def exemplar_names(policy: str) -> Callable[[str], str] | None:
    """Return what an exemplar is called by its id, None for no exemplars.

    Raises
    ------
    ConfigError
        If the key of the pseudonyms is too short to be one.
    """
    if policy != "pseudonyms":
        return str if policy == "ids" else None
    # Without a key of the user's, one that nobody keeps: the pseudonyms of two runs have nothing in common.
    given = os.environ.get(KEY_VARIABLE)
    if given is not None and len(given) < _SHORTEST_KEY:
        raise ConfigError(KEY_VARIABLE, expected=f"at least {_SHORTEST_KEY} characters", found=f"{len(given)}")
    return partial(pseudonymise, key=given.encode() if given else secrets.token_bytes(32))


def _described(config: Config) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical features that profiles show."""
    attributes = config.sources.customers.attributes if config.sources.customers else {}
    shown = [name for name in config.features.use if name not in config.audited]
    texts = [name for name in shown if name in attributes and not attributes[name].is_number]
    return [name for name in shown if name not in texts], texts


def _logs(config: Config, known: dict[str, Any]) -> set[str]:
    """Return the features that are clustered or shown on a log scale."""
    shares = config.features.category_shares
    logs = {name for name, spec in config.features.use.items() if spec.log}
    return logs | set(computed_shares(known)) if shares is not None and shares.preparation.log else logs


def _clustered_columns(run: Run) -> list[str]:
    """Return what each coordinate of the clustered vector stands for."""
    first = [row for row in run.read_model_rows(CENTROIDS) if row["segment_id"] == 0 and row["position"] is not None]
    return [row["feature"] for row in sorted(first, key=lambda row: row["position"])]


def _summarise(config: Config, members: Customers, numbers: list[str], categories: list[str], customers: int) -> Summary:
    asked = _asked(config, numbers)
    levels: Sequence[Any] = []
    if isinstance(members, pa.Table):
        rows = summarise_numbers_here(members, numbers=asked, revenue=config.revenue_feature)
        levels = summarise_levels_here(members, categories=categories, missing=MISSING_LEVEL)
    else:
        rows = summarise_numbers(members, numbers=asked, revenue=config.revenue_feature, customers=customers)
        if categories:
            levels = summarise_levels(members, categories=categories, missing=MISSING_LEVEL).collect()
    return Summary(rows, levels, tuple(asked), tuple(read_sizes(rows)))


def _count_bins(members: Customers, scales: Mapping[str, Scale]) -> Sequence[Any]:
    """Return customers by segment, feature and bin."""
    return count_bins_here(members, scales) if isinstance(members, pa.Table) else count_bins(members, scales).collect()


def _sample(members: Customers) -> tuple[list[int], Any]:
    """Return the segments and the points of some customers."""
    if isinstance(members, pa.Table):
        return sample_members_here(members, most=MOST_POINTS)
    sample = sample_members(members).select("segment_id", "features").collect()
    return [row["segment_id"] for row in sample], [row["features"].toArray() for row in sample]


def _asked(config: Config, numbers: Sequence[str]) -> list[str]:
    """Return the numbers to summarise: those that profiles show first, then what names and advice look at, and revenue."""
    extra = [] if config.sources.transactions is None else [name for name in ORDER_DIMENSIONS if name not in numbers]
    revenue = config.revenue_feature
    return [*numbers, *extra, *([revenue] if revenue and revenue not in (*numbers, *extra) else [])]


def _learn(members: DataFrame, questions: Sequence[Question], sizes: Sequence[SegmentSize]) -> Rows:
    """Return the rows of ``tables.SEGMENT_RULES``."""
    customers = {size.segment_id: size.customers for size in sizes}
    learned: list[SegmentRule] = learn_rules(members, questions, sizes=customers, missing=MISSING_LEVEL) if questions else []
    return measure_rules(members, learned, sizes=customers) if learned else []


def _segment_rows(sizes: Sequence[SegmentSize], traits: Mapping[int, Sequence[Trait]], portraits: Mapping[int, Portrait]) -> Rows:
    """Return the rows of ``tables.SEGMENTS``, named by the rules alone."""
    names = name_segments(portraits)
    customers = sum(size.customers for size in sizes)
    revenue = sum((size.revenue or Decimal(0) for size in sizes), Decimal(0))
    return [
        {
            "segment_id": size.segment_id,
            "segment_name": names[size.segment_id],
            "rule_name": names[size.segment_id],
            "archetype": portraits[size.segment_id].archetype,
            "color": PALETTE[size.segment_id % len(PALETTE)],
            "customers": size.customers,
            "customer_share": size.customers / customers,
            "revenue": size.revenue,
            "revenue_share": float(size.revenue / revenue) if size.revenue is not None and revenue > 0 else None,
            "sets_apart": describe_segment(traits[size.segment_id]),
        }
        for size in sizes
    ]
