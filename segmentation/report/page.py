"""The report of one run: a page and its figures from small tables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from segmentation import catalogue, spelling
from segmentation.report import words
from segmentation.report.charts import Label, draw_distributions, draw_heat_map, draw_map, draw_sizes
from segmentation.report.evidence import draw_evidence
from segmentation.report.flow import draw_flow
from segmentation.report.marks import cell, derived, wrap
from segmentation.report.movement import Movement, find_movement
from segmentation.report.svg import Figure
from segmentation.report.words import Row, Rows, Tables, text_of
from segmentation.small_groups import NOT_SHOWN
from segmentation.spelling import percent, whole

_MOST_FIRST = 4
_BEFORE = ("previous_runs", "previous_segments")  # there is not always a run before
_LEAST_SHARE = 0.05  # of a segment's customers, below which a way to another K is not told
_NO_GATES = ("rule", "structure")  # what the rule said of K, and the verdict: both are told elsewhere
_STATISTICS = ("p10", "p25", "median", "p75", "p90", "mean")


@dataclass(frozen=True)
class Report:
    """A page, and each figure as a file, by name."""

    html: str
    figures: Mapping[str, str]


def draw_report(tables: Tables) -> Report:
    """Return the report of a run.

    Parameters
    ----------
    tables : the run's published rows by table name
        Of the run before there may be ``previous_runs`` and ``previous_segments``.
    """
    have = {**dict.fromkeys(_BEFORE, ()), **tables}
    segments = sorted(have["segments"], key=lambda row: row["segment_id"])
    categories: dict[str, str] = json.loads(have["runs"][0]["category_shares"])
    label = partial(catalogue.label, categories=categories)
    movement = find_movement(have, segments)
    figures = _draw_figures(have, segments, label, movement)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            run=have["runs"][0],
            segments=segments,
            headline=_headline(have["runs"][0], segments),
            structure=_structure(have["runs"][0]),
            first=_first(segments, have["actions"]),
            cards=[_card(segment, have) for segment in segments],
            figures=figures,
            distributions=[figure for name, figure in figures.items() if name.startswith("distribution_")],
            evidence=[figures[name] for name in ("scatter", "silhouette", "stability") if name in figures],
            heat=_matrix(have["profiles"], "z"),
            centroids=_centroids(have["centroids"]),
            quantiles=_quantiles(have["profiles"]),
            axes=_axes(have["map_axes"]),
            grid=sorted(have["grid"], key=lambda row: row["k"]),
            gates=_gates(have["decision"]),
            borders=[row for row in have["borders"] if row["k"] == have["runs"][0]["k"]],
            steps=_steps(have["compare"], have["runs"][0]["k"]),
            few=words.tell_few(have["runs"][0]),
            has_gaps=_has_gaps(have),
            neighbours={(row["k"], row["segment_id"]): row for row in have["neighbours"]},
            by_id={row["segment_id"]: row for row in segments},
            representation=_representation(have["representation"]),
            sources=_sources(have["row_counts"]),
            checks=words.sort_checks(have["checks"]),
            movement=movement,
            versions=_versions(have["runs"][0]),
            glossary=words.GLOSSARY,
            named=lambda feature: wrap({"data-derived": "label", "data-of": text_of(feature)}, label(feature)),
        )
    )
    return Report(page, {name: figure.file() for name, figure in figures.items()})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("segmentation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": text_of, "color": words.color_of, "reason": words.reason_words}
    environment.globals |= {
        "cell": lambda table, row, column, spelling=str: cell(table, row, column, spelling(row[column])),
        "derive": lambda name, value, spelling=str: wrap(derived(name, value), spelling(value)),
        "gate_words": words.GATES,
        "shown": lambda spelling: lambda value: NOT_SHOWN if value is None else spelling(value),
        **{name: getattr(spelling, name) for name in ("percent", "whole", "number", "signed", "exact")},
        "unit": lambda feature: partial(catalogue.spell, feature),
    }
    return environment


def _draw_figures(have: Mapping[str, Rows], segments: Rows, label: Label, movement: Movement | None) -> dict[str, Figure]:
    figures = [draw_sizes(segments)]
    if any(row["statistic"] == "z" for row in have["profiles"]):
        figures.append(draw_heat_map(segments, have["profiles"], label))
    figures += draw_distributions(segments, have["histograms"], label)
    if have["segment_map"]:
        figures.append(draw_map(segments, have["segment_map"], have["map_axes"]))
    figures += draw_evidence(have["grid"])
    flow = draw_flow(movement, segments) if movement is not None else None
    figures += [flow] if flow is not None else []
    return {figure.name: figure for figure in figures}


def _headline(run: Row, segments: Rows) -> list[Markup]:
    """Return sentences: how many customers and segments, and where the revenue sits."""
    told = [
        Markup("{} customers fall into {} segments.").format(
            cell("runs", run, "customers", whole(run["customers"])), cell("runs", run, "k", str(run["k"]))
        )
    ]
    by_revenue = [row for row in segments if row["revenue_share"] is not None]
    if not by_revenue:
        largest = max(segments, key=lambda row: row["customers"] or 0)
        if largest["customers"] is None:
            return [*told, Markup("How many each holds is not shown.")]
        told.append(
            Markup("The largest, {}, holds {} of them.").format(
                _name(largest), cell("segments", largest, "customer_share", percent(largest["customer_share"]))
            )
        )
        return told
    best = max(by_revenue, key=lambda row: row["revenue_share"])
    told.append(
        Markup("{} are {} of them and bring {} of the revenue.").format(
            _name(best),
            cell("segments", best, "customer_share", percent(best["customer_share"])),
            cell("segments", best, "revenue_share", percent(best["revenue_share"])),
        )
    )
    least = min(by_revenue, key=lambda row: row["revenue_share"] / row["customer_share"])
    if least is not best:
        told.append(
            Markup("{} are {} of them and bring {}.").format(
                _name(least),
                cell("segments", least, "customer_share", percent(least["customer_share"])),
                cell("segments", least, "revenue_share", percent(least["revenue_share"])),
            )
        )
    return told


def _name(segment: Row) -> Markup:
    return cell("segments", segment, "segment_name", segment["segment_name"])


def _structure(run: Row) -> tuple[str, str] | None:
    found = run["structure"]
    return (found, words.STRUCTURES[found]) if found in words.STRUCTURES else None


def _steps(compare: Rows, k: int) -> dict[tuple[int, int], dict[int, list[Row]]]:
    """Return where the customers of each segment go from the K before to the chosen one, and from that to the next, by step."""
    steps: dict[tuple[int, int], dict[int, list[Row]]] = {}
    for row in sorted(compare, key=lambda row: (row["k"], row["segment_id"], -(row["segment_share"] or 0.0))):
        if k in (row["k"], row["next_k"]) and (row["segment_share"] or 0.0) >= _LEAST_SHARE:
            steps.setdefault((row["k"], row["next_k"]), {}).setdefault(row["segment_id"], []).append(row)
    return steps


def _first(segments: Rows, actions: Rows) -> list[tuple[Row, Row]]:
    """Return the advice that concerns the most revenue (customers, without revenue), largest first, with its segment."""
    by_id = {row["segment_id"]: row for row in segments}
    ranked = sorted(
        actions, key=lambda row: (-(row["revenue"] or Decimal(0)), -(row["customers"] or 0), row["segment_id"], row["rank"])
    )
    return [(row, by_id[row["segment_id"]]) for row in ranked[:_MOST_FIRST]]


def _card(segment: Row, have: Mapping[str, Rows]) -> dict[str, Any]:
    def own(table: str, order: str) -> list[Row]:
        return sorted((row for row in have[table] if row["segment_id"] == segment["segment_id"]), key=lambda row: row[order])

    return {
        "segment": segment,
        "traits": own("traits", "rank")[:5],
        "actions": own("actions", "rank"),
        "rules": own("segment_rules", "rule"),
        "exemplars": own("exemplars", "rank"),
    }


def _has_gaps(have: Mapping[str, Rows]) -> dict[str, bool]:
    """Return, by table, whether something of it is not shown for want of customers."""
    columns = {"histograms": "customers", "transitions": "customers", "segments": "customers"}
    gaps = {name: any(row[column] is None for row in have[name]) for name, column in columns.items()}
    return {**gaps, "profiles": gaps["segments"] or any(_is_gap(row) for row in have["profiles"])}


def _is_gap(row: Row) -> bool:
    return row["value"] is None and row["statistic"] in ("share", "missing_share")


def _matrix(profiles: Rows, statistic: str) -> dict[str, dict[int, Row]]:
    found: dict[str, dict[int, Row]] = {}
    for row in profiles:
        if row["statistic"] == statistic:
            found.setdefault(row["feature"], {})[row["segment_id"]] = row
    return found


def _centroids(rows: Rows) -> dict[str, dict[int, Row]]:
    found: dict[str, dict[int, Row]] = {}
    for row in sorted(rows, key=lambda row: (row["position"] is None, row["position"] or 0, row["feature"])):
        if row["value_original"] is not None:
            found.setdefault(row["feature"], {})[row["segment_id"]] = row
    return found


def _quantiles(profiles: Rows) -> dict[str, dict[int, dict[str, Row]]]:
    """Return rows by feature, segment and statistic, of the numbers."""
    found: dict[str, dict[int, dict[str, Row]]] = {}
    for row in profiles:
        if row["statistic"] in _STATISTICS and "=" not in row["feature"]:
            found.setdefault(row["feature"], {}).setdefault(row["segment_id"], {})[row["statistic"]] = row
    return found


def _axes(rows: Rows) -> list[tuple[str, list[Row]]]:
    """Return the axes with their strongest features: at least a third of the largest loading."""
    told = []
    for axis, words_of in (("x", "Left to right"), ("y", "Bottom to top")):
        own = sorted((row for row in rows if row["axis"] == axis), key=lambda row: -abs(row["loading"]))
        if own:
            told.append((words_of, [row for row in own if abs(row["loading"]) >= abs(own[0]["loading"]) / 3][:4]))
    return told


def _gates(decision: Rows) -> tuple[list[str], dict[int, dict[str, Row]]]:
    found: dict[int, dict[str, Row]] = {}
    names: list[str] = []
    for row in decision:
        if row["gate"] in _NO_GATES:
            continue
        found.setdefault(row["k"], {})[row["gate"]] = row
        if row["gate"] not in names:
            names.append(row["gate"])
    return names, dict(sorted(found.items()))


def _representation(rows: Rows) -> dict[str, dict[str, dict[int, Row]]]:
    """Return rows by attribute, level and segment."""
    found: dict[str, dict[str, dict[int, Row]]] = {}
    for row in sorted(rows, key=lambda row: (row["attribute"], row["level"])):
        found.setdefault(row["attribute"], {}).setdefault(row["level"], {})[row["segment_id"]] = row
    return found


def _sources(counts: Rows) -> dict[str, list[Row]]:
    """Return each source's outcomes: kept first, then the largest."""
    found: dict[str, list[Row]] = {}
    for row in sorted(counts, key=lambda row: (row["source"], row["outcome"] != "kept", -row["rows"], row["outcome"])):
        found.setdefault(row["source"], []).append(row)
    return found


def _versions(run: Row) -> dict[str, dict[str, int]]:
    return {name: json.loads(run[name]) for name in ("table_versions", "source_versions")}
