"""A small decision tree over features in their own units, read back as conditions and measured.

The tree is Spark ML's ``DecisionTreeClassifier``. What is measured is the condition as it is printed, thresholds
rounded, on all customers; not the tree.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pyspark.ml import Pipeline
from pyspark.ml.classification import DecisionTreeClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.audiences import find_audiences, read_audiences
from segmentation.tables import Rows

MOST_LEARNED_FROM = 10_000
# A rule that catches hardly any of its segment explains nothing.
MOST_RULES, LEAST_RECALL = 3, 0.05
_DEEPEST = 5
_SPLIT = re.compile(r"feature (\d+) (<=|>|in|not in) (\S+)\)$")


@dataclass(frozen=True)
class Question:
    """A feature that a rule may ask for, and what people call it.

    ``levels``: of a category all of them, of an ordinal in order, lowest first.

    A number or ordinal that is missing counts as ``unknown``, a value below all others.
    """

    name: str
    label: str
    kind: Literal["number", "category", "ordinal"]
    is_whole: bool = False
    levels: tuple[str, ...] = ()
    unknown: float = -1.0
    lowest: float = 0.0

    def ask(self, missing: str) -> Column:
        """Return the value the tree learns from."""
        if self.kind == "number":
            return F.coalesce(F.col(f"`{self.name}`").cast("double"), F.lit(self.unknown))
        text = F.coalesce(F.col(f"`{self.name}`"), F.lit(missing))
        place = F.array_position(F.array(*map(F.lit, self.levels)), text) - 1
        return F.coalesce(place.cast("double"), F.lit(self.unknown))


@dataclass(frozen=True)
class Path:
    """The way to a leaf: per feature the values above ``above`` and up to ``upto``, or the levels ``among``."""

    above: Mapping[int, float] = field(default_factory=dict)
    upto: Mapping[int, float] = field(default_factory=dict)
    among: Mapping[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class SegmentRule:
    """One row of ``tables.SEGMENT_RULES`` without its run and figures, and the condition as a column."""

    segment_id: int
    condition: str
    holds: Column


def learn_rules(
    members: DataFrame, questions: Sequence[Question], *, sizes: Mapping[int, int], missing: str
) -> list[SegmentRule]:
    """Fit a tree on at most 10,000 customers chosen by the hash of their id, and return a rule per leaf.

    Every segment weighs the same, or a small one would get no leaf. The depth grows with the number of segments.

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` joined with ``segment_id``
    sizes : customers by segment
    """
    weight = F.coalesce(*(F.when(F.col("segment_id") == one, 1.0 / size) for one, size in sizes.items()))
    asked = [
        question.ask(missing).alias(f"q{place}", metadata=_nominal(question) if question.kind == "category" else {})
        for place, question in enumerate(questions)
    ]
    sample = members.orderBy(F.xxhash64("customer_id"), "customer_id").limit(MOST_LEARNED_FROM)
    learned_from = sample.select(F.col("segment_id").cast("double").alias("label"), weight.alias("weight"), *asked)
    # On a few thousand customers one partition is fastest, and sums come in one order.
    learned_from = learned_from.coalesce(1)
    tree = DecisionTreeClassifier(
        labelCol="label",
        weightCol="weight",
        maxDepth=choose_depth(len(sizes)),
        maxBins=max(32, *(len(question.levels) + 1 for question in questions)),
        seed=1,
    )
    names = [f"q{place}" for place in range(len(questions))]
    model = Pipeline(stages=[VectorAssembler(inputCols=names, outputCol="features"), tree]).fit(learned_from)
    leaves = read_leaves(model.stages[-1].toDebugString)  # type: ignore[attr-defined]
    return [SegmentRule(segment, _words(path, questions), _column(path, questions, missing)) for path, segment in leaves]


def measure_rules(members: DataFrame, rules: Sequence[SegmentRule], *, sizes: Mapping[int, int]) -> Rows:
    """Return the rows of ``tables.SEGMENT_RULES``: the rules that catch most of each segment, counted on all customers."""
    rows = find_audiences(members, [rule.holds for rule in rules], revenue=None)
    found: list[dict[str, Any]] = []
    for place, rule in enumerate(rules):
        caught = {segment: one.customers for segment, one in read_audiences(rows, place).items()}
        own, whole = caught[rule.segment_id], sum(caught.values())
        found.append(
            {
                "segment_id": rule.segment_id,
                "condition": rule.condition,
                "customers": whole,
                "precision": own / whole if whole else None,
                "recall": own / sizes[rule.segment_id],
            }
        )
    found.sort(key=lambda row: (row["segment_id"], -row["recall"], row["condition"]))
    kept: dict[int, Rows] = {}
    for row in found:
        own_rules = kept.setdefault(row["segment_id"], [])
        if not own_rules or (row["recall"] >= LEAST_RECALL and len(own_rules) < MOST_RULES):
            own_rules.append({**row, "rule": len(own_rules) + 1})
    return [row for own_rules in kept.values() for row in own_rules]


def choose_depth(segments: int) -> int:
    """Return the depth of a tree with about two leaves a segment, 5 at most."""
    return min(_DEEPEST, max(1, math.ceil(math.log2(2 * segments))))


def _nominal(question: Question) -> dict[str, object]:
    return {"ml_attr": {"type": "nominal", "vals": list(question.levels)}}


def read_leaves(text: str) -> list[tuple[Path, int]]:
    """Return the way to each leaf and its segment from a tree's ``toDebugString``."""
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    return list(_walk(iter(lines), Path()))


def _walk(lines: Iterator[str], path: Path) -> Iterator[tuple[Path, int]]:
    line = next(lines).strip()
    if line.startswith("Predict:"):
        yield path, int(float(line.removeprefix("Predict:")))
        return
    yield from _walk(lines, _narrow(path, line))
    yield from _walk(lines, _narrow(path, next(lines).strip()))


def _narrow(path: Path, line: str) -> Path:
    """Return the path with the split of an ``If`` or ``Else`` line."""
    found = _SPLIT.search(line)
    if found is None:
        raise ValueError(f"tree: a split is expected, found {line!r}")
    place, sign, value = int(found[1]), found[2], found[3]
    if sign == "<=":
        return Path(path.above, {**path.upto, place: min(float(value), path.upto.get(place, math.inf))}, path.among)
    if sign == ">":
        return Path({**path.above, place: max(float(value), path.above.get(place, -math.inf))}, path.upto, path.among)
    named = frozenset(int(float(one)) for one in value.strip("{}").split(",") if one)
    key = place if sign == "in" else ~place  # ~place holds the levels ruled out
    known = path.among.get(key)
    both = named if known is None else (named & known if sign == "in" else named | known)
    return Path(path.above, path.upto, {**path.among, key: both})


def _features(path: Path) -> list[int]:
    return sorted({*path.above, *path.upto, *(place if place >= 0 else ~place for place in path.among)})


def _levels(path: Path, place: int, question: Question) -> list[str]:
    allowed = path.among.get(place, frozenset(range(len(question.levels)))) - path.among.get(~place, frozenset())
    return [level for number, level in enumerate(question.levels) if number in allowed]


def _bounds(path: Path, place: int, question: Question) -> tuple[float | None, float | None]:
    """Return the bounds above and up to, rounded as they are printed; between unknown and known they stay."""
    bounds = [path.above.get(place), path.upto.get(place)]
    low, high = (None if bound is None else _round(bound, question) for bound in bounds)
    return low, high


def _round(bound: float, question: Question) -> float:
    if bound < question.lowest:
        return bound
    if question.is_whole or question.kind == "ordinal":
        return math.floor(bound)
    return float(f"{bound:.3g}")


def _column(path: Path, questions: Sequence[Question], missing: str) -> Column:
    """Return the condition of a path, as ``_words`` prints it."""
    condition = F.lit(True)
    for place in _features(path):
        question = questions[place]
        if question.kind == "category":
            text = F.coalesce(F.col(f"`{question.name}`"), F.lit(missing))
            condition = condition & text.isin(_levels(path, place, question))
            continue
        low, high = _bounds(path, place, question)
        value = question.ask(missing)
        condition = condition & (value > low if low is not None else F.lit(True))
        condition = condition & (value <= high if high is not None else F.lit(True))
    return condition


def _words(path: Path, questions: Sequence[Question]) -> str:
    told = [_feature_words(path, place, questions[place]) for place in _features(path)]
    return " and ".join(told) or "every customer"


def _feature_words(path: Path, place: int, question: Question) -> str:
    name = question.label
    if question.kind == "category":
        return f"{name} is {' or '.join(_levels(path, place, question)) or 'nothing known'}"
    low, high = _bounds(path, place, question)
    if high is not None and high < question.lowest:
        return f"{name} unknown"
    is_known = low is not None and low < question.lowest
    low = None if is_known else low
    # What is missing counts as below all values, so that "at most" takes it in wherever there is any.
    or_unknown = " or unknown" if question.unknown < question.lowest and low is None and not is_known else ""
    if low is None and high is None:
        return f"{name} known"
    if question.kind == "ordinal":
        return f"{name} {_spell_levels(low, high, question)}{or_unknown}"
    if low is None and high is not None:
        return f"{name} at most {_spell(high)}{or_unknown}"
    if high is None and low is not None:
        return f"{name} more than {_spell(low)}"
    assert low is not None
    assert high is not None
    return f"{name} more than {_spell(low)} and at most {_spell(high)}"


def _spell(bound: float) -> str:
    return f"{bound:,.10g}"


def _spell_levels(low: float | None, high: float | None, question: Question) -> str:
    first = 0 if low is None else int(low) + 1
    last = len(question.levels) - 1 if high is None else int(high)
    if first == last:
        return f"is {question.levels[first]}"
    if low is None:
        return f"at most {question.levels[last]}"
    return f"at least {question.levels[first]}" + ("" if high is None else f" and at most {question.levels[last]}")
