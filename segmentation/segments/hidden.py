"""What is too small to be shown in the tables that describe the segments; rows in, rows without it out."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segmentation.segments.histograms import Scale
from segmentation.segments.summary import Summary
from segmentation.small_groups import NOT_SHOWN, Crossing, find_hidden, is_small
from segmentation.tables import Rows

EVERYONE = None  # in place of a segment
_MISSING = "missing"  # in place of a bin
_OF_ALL = "population_"


@dataclass(frozen=True)
class Hidden:
    """What shows nothing: segments as a whole, and by segment (None: all customers) numbers, shares, levels and bins."""

    min_cell: int
    segments: frozenset[int]
    numbers: frozenset[tuple[int | None, str]]
    missing: frozenset[tuple[int | None, str]]
    levels: frozenset[tuple[int | None, str]]  # as feature=level
    bins: frozenset[tuple[int | None, str, int]]

    def has_value(self, row: Mapping[str, Any]) -> bool:
        """Say whether the value of a row of ``tables.PROFILES`` or ``tables.FIGURES`` is shown."""
        segment, feature, statistic = row["segment_id"], row["feature"], row.get("statistic", "mean")
        own = self.levels if "=" in feature else self.missing if statistic == "missing_share" else self.numbers
        if statistic.startswith(_OF_ALL):
            return (EVERYONE, feature) not in own
        is_beside_all = statistic in ("index", "z")
        return (segment, feature) not in own and not (is_beside_all and (EVERYONE, feature) in own)


def find_hidden_groups(
    summary: Summary, bins: Sequence[Any], scales: Mapping[str, Scale], *, flags: Collection[str], min_cell: int
) -> Hidden:
    """Return what shows nothing.

    Parameters
    ----------
    bins : of ``histograms.count_bins``
    scales : of each number that has a histogram
    flags : numbers that are only ever 0 or 1, whose mean counts a group
    """
    sizes = {size.segment_id: size.customers for size in summary.sizes}
    segments = find_hidden(sizes, min_cell)
    numbers: set[tuple[int | None, str]] = set()
    for place, name in enumerate(summary.numbers):
        present = {row["segment_id"]: row[f"n{place}"]["present"] for row in summary.rows}
        everyone = present.pop(EVERYONE)
        numbers |= {(segment, name) for segment in find_hidden(present, min_cell, also=segments)}
        numbers |= {(EVERYONE, name)} if is_small(everyone, min_cell) else set()
    missing: set[tuple[int | None, str]] = set()
    hidden_bins: set[tuple[int | None, str, int]] = set()
    for name, scale in scales.items():
        known = {(row["segment_id"], row["bin"]): row["customers"] for row in bins if row["feature"] == name}
        counts: dict[tuple[int, Any], int] = {}
        for segment, customers in sizes.items():
            counts |= {(segment, place): known.get((segment, place), 0) for place in range(scale.bins)}
            counts[segment, _MISSING] = customers - sum(counts[segment, place] for place in range(scale.bins))
        for one, place in cross(counts, segments, min_cell):
            if place == _MISSING:
                missing.add((one, name))
            else:
                hidden_bins.add((one, name, place))
                numbers |= {(one, name)} if name in flags and place in (0, scale.bins - 1) else set()
    levels: set[tuple[int | None, str]] = set()
    for name in {row["feature"] for row in summary.levels}:
        own = {(row["segment_id"], row["level"]): row["customers"] for row in summary.levels if row["feature"] == name}
        every = {level for _, level in own}
        counts = {(segment, level): own.get((segment, level), 0) for segment in sizes for level in every}
        levels |= {(segment, f"{name}={level}") for segment, level in cross(counts, segments, min_cell)}
    whole = frozenset((segment, name) for segment in segments for name in summary.numbers)
    return Hidden(
        min_cell, segments, frozenset(numbers) | whole, frozenset(missing) | whole, frozenset(levels), frozenset(hidden_bins)
    )


def cross(counts: Mapping[tuple[int, Any], int], segments: Collection[int], min_cell: int) -> set[tuple[int | None, Any]]:
    """Return the cells of segments by levels (or bins) not to be shown; under None the levels whose total is not.

    ``segments`` show nothing.
    """
    totals: Counter[Any] = Counter()
    for (_, level), customers in counts.items():
        totals[level] += customers
    rare = find_hidden(totals, min_cell)
    hidden: set[tuple[int | None, Any]] = {(EVERYONE, level) for level in rare}
    return hidden | {(cell[0], cell[1]) for cell in Crossing(counts, frozenset(segments), rare).hide(min_cell)}


def guard_values(rows: Rows, hidden: Hidden, *, columns: Sequence[str]) -> Rows:
    """Return rows of ``tables.PROFILES`` or ``tables.FIGURES``, of which ``columns`` are null where they are hidden."""
    return [row if hidden.has_value(row) else row | dict.fromkeys(columns) for row in rows]


def guard_bars(rows: Rows, hidden: Hidden) -> Rows:
    """Return rows of ``tables.HISTOGRAMS`` without the counts that are hidden."""
    return [row | {"customers": None} if (row["segment_id"], row["feature"], row["bin"]) in hidden.bins else row for row in rows]


def guard_segments(rows: Rows, hidden: Hidden, *, revenue: str | None) -> Rows:
    """Return rows of ``tables.SEGMENTS`` without what is hidden.

    Parameters
    ----------
    revenue : feature summed as revenue, or None
    """
    money, whole = dict.fromkeys(("revenue", "revenue_share")), dict.fromkeys(("customers", "customer_share"))
    guarded = []
    for row in rows:
        if row["segment_id"] in hidden.segments:
            guarded.append({**row, **money, **whole, "sets_apart": f"{NOT_SHOWN}: too few customers"})
        else:
            guarded.append(row | money if (row["segment_id"], revenue) in hidden.numbers else row)
    return guarded


def guard_rules(rows: Rows, hidden: Hidden, *, sizes: Mapping[int, int]) -> Rows:
    """Return rows of ``tables.SEGMENT_RULES``: none of a segment that shows nothing, no numbers where they tell of a small group.

    The rules of a segment part it, with those whom none catches; and each parts the customers that it catches.
    """
    guarded = []
    for segment in dict.fromkeys(row["segment_id"] for row in rows if row["segment_id"] not in hidden.segments):
        own = [row for row in rows if row["segment_id"] == segment]
        parts: dict[int | None, int] = {row["rule"]: round(row["recall"] * sizes[segment]) for row in own}
        parts[None] = sizes[segment] - sum(parts.values())
        few = find_hidden(parts, hidden.min_cell)
        for row in own:
            is_hidden = row["rule"] in few or is_small(row["customers"] - parts[row["rule"]], hidden.min_cell)
            guarded.append(row | dict.fromkeys(("customers", "precision", "recall")) if is_hidden else row)
    return guarded


def guard_members(rows: Rows, hidden: Hidden) -> Rows:
    """Return rows about single customers, of ``tables.EXEMPLARS`` or ``tables.SEGMENT_MAP``, without those of hidden segments."""
    return [row for row in rows if row["segment_id"] not in hidden.segments]
