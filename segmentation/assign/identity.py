"""Which segment of the former run a segment is: overlap of both models on the same customers, after MONIC.

Spiliopoulou, Ntoutsi, Theodoridis, Schult (2006): MONIC. Modeling and Monitoring Cluster Transitions. KDD. The former model
labels the customers of this run, so that customers who moved cannot fake the death of a segment. Who lies beyond the reach of
every former segment counts for none of them, so that a new group is born and does not look like a split.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Shares = npt.NDArray[np.float64]
Overlaps = Mapping[tuple[int | None, int], int]  # customers by former and new segment; None lies beyond every former one


@dataclass(frozen=True)
class Thresholds:
    """From when on a segment is the same, 0 to 1.

    ``survive``: of the former's customers in one segment. ``part``: in one of several that together reach ``survive``.
    ``carry``: of the new one's customers who come from the former; ``survive``, where another former one went into it too.
    """

    survive: float = 0.7
    part: float = 0.3
    carry: float = 0.5


@dataclass(frozen=True)
class Match:
    """A segment of this run (``segment_id`` None: a former one that is no more) and where it comes from."""

    key: str
    segment_id: int | None
    verdict: str
    previous_key: str | None = None
    common: int | None = None
    previous_overlap: float | None = None
    overlap: float | None = None
    jaccard: float | None = None
    heirs: tuple[str, ...] = ()  # of a retired one: the keys of the segments that it went into
    is_hidden: bool = False  # its numbers would tell of too few customers


def name_first(segments: int) -> list[Match]:
    """Return the segments of a run that has none before it."""
    return [Match(spell_key(number + 1), number, "first") for number in range(segments)]


def repeat_matches(lineage: Sequence[Mapping[str, Any]]) -> list[Match]:
    """Return the segments of a run, by number, as its own rows of ``tables.LINEAGE`` have them."""
    living = sorted((row for row in lineage if row["segment_id"] is not None), key=lambda row: int(row["segment_id"]))
    return [Match(row["segment_key"], row["segment_id"], row["verdict"], row["previous_key"]) for row in living]


def spell_key(number: int) -> str:
    """Return the key with a number."""
    return f"S{number:04d}"


def spare_keys(taken: Iterable[str], *, own: Iterable[str] = ()) -> Iterator[str]:
    """Yield keys for new segments without end: the run's ``own`` that it gave before, then those beyond every one ``taken``."""
    first = sorted(set(own), key=_number_of)
    beyond = max(map(_number_of, chain(taken, first)), default=0) + 1
    return chain(first, map(spell_key, count(beyond)))


def _number_of(key: str) -> int:
    return int(key.removeprefix("S"))


def match_segments(
    overlaps: Overlaps, former: Mapping[int, str], *, segments: int, spare: Iterator[str], thresholds: Thresholds
) -> list[Match]:
    """Return a match for each segment of this run, in order, and one for each former segment that is no more.

    Parameters
    ----------
    overlaps : customers of this run, by the former model's segment and this one's
    former : keys of the former run's segments by their number there
    segments : number of segments of this run
    spare : keys that no segment has
    """
    olds = sorted(former)
    common = np.array([[overlaps.get((old, new), 0) for new in range(segments)] for old in olds], dtype=float)
    old_sizes = common.sum(1)
    new_sizes = np.array([sum(size for (_, one), size in overlaps.items() if one == new) for new in range(segments)], dtype=float)
    into = np.divide(common, old_sizes[:, None], out=np.zeros_like(common), where=old_sizes[:, None] > 0)
    share = np.divide(common, new_sizes, out=np.zeros_like(common), where=new_sizes > 0)
    union = old_sizes[:, None] + new_sizes - common
    jaccard = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    heirs = _find_survivors(into, share, jaccard, thresholds)
    taken, verdicts = set(heirs.values()), dict[int, tuple[str, int | None]]()
    for old in range(len(olds)):
        parts = [new for new in range(segments) if new not in taken and into[old, new] >= thresholds.part]
        if old not in heirs and len(parts) > 1 and sum(into[old, new] for new in parts) >= thresholds.survive:
            verdicts |= {new: ("split", old) for new in parts if share[old, new] >= thresholds.carry}
    matches: list[Match] = []
    source: int | None
    origin = {new: old for old, new in heirs.items()}
    for new in range(segments):
        if new in origin:
            verdict, source, key = "survived", origin[new], former[olds[origin[new]]]
        else:
            is_merger = (into[:, new] >= thresholds.survive).sum() > 1
            verdict, source = verdicts.get(new, ("merged", int(common[:, new].argmax())) if is_merger else ("born", None))
            key = next(spare)
        if source is None:
            matches.append(Match(key, new, verdict))
        else:
            shares = (float(one[source, new]) for one in (into, share, jaccard))
            previous, lost, own, alike = former[olds[source]], *shares
            matches.append(Match(key, new, verdict, previous, int(common[source, new]), lost, own, alike))
    keys = [match.key for match in matches]
    for place in (place for place in range(len(olds)) if place not in heirs):
        went = tuple(keys[new] for new in np.argsort(-into[place], kind="stable") if into[place, new] >= thresholds.part)
        matches.append(Match(former[olds[place]], None, "retired", heirs=went))
    return matches


def _find_survivors(into: Shares, share: Shares, jaccard: Shares, thresholds: Thresholds) -> dict[int, int]:
    """Return the new segment by the former one that survives in it; the assignment of largest Jaccard in all, ties by number."""
    reach = into >= thresholds.survive
    fits = reach & (share >= np.where(reach.sum(0) > 1, thresholds.survive, thresholds.carry))
    if not fits.any():
        return {}
    rows, columns = linear_sum_assignment(np.where(fits, jaccard, 0.0), maximize=True)
    return {int(old): int(new) for old, new in zip(rows, columns, strict=True) if fits[old, new]}


def tell(match: Match) -> str:
    """Return a match in words."""
    if match.verdict == "retired":
        return f"{match.key} is no more" + (f": its customers went to {', '.join(match.heirs)}" if match.heirs else "")
    if match.verdict == "first":
        return f"{match.key} is of the first run"
    if match.verdict == "born":
        return f"{match.key} is new: no former segment goes on in it"
    if match.previous_overlap is None and not match.is_hidden:
        return f"{match.key} is that of the frozen model"
    starts = {"survived": "goes on", "split": f"is a part of {match.previous_key}", "merged": "joins former segments"}
    start = f"{match.key} {starts[match.verdict]}"
    if match.is_hidden:
        return start
    gone, come = f"{match.previous_overlap:.0%}", f"{match.overlap:.0%}"
    return f"{start}: {gone} of {match.previous_key}'s customers are in it, {come} of its own come from it"


def overlaps_of(rows: Sequence[Mapping[str, int | None]], *, basis: str) -> Counter[tuple[int | None, int]]:
    """Return ``Overlaps`` of rows with ``before_id``, ``mid_id``, ``is_far``, ``segment_id`` and ``customers``.

    By the basis ``models`` the former segment is that of the former model, of all customers of this run that are not far from
    all of its segments; by ``customers`` the one that a customer of both runs was in.
    """
    counts: Counter[tuple[int | None, int]] = Counter()
    for row in rows:
        segment, customers = row["segment_id"], row["customers"]
        if segment is None or customers is None or (basis == "customers" and row["before_id"] is None):
            continue
        mid = None if row["is_far"] else row["mid_id"]
        counts[mid if basis == "models" else row["before_id"], segment] += customers
    return counts


def reason_of(
    row: Mapping[str, int | None], *, basis: str, former: Mapping[int, str], keys: Sequence[str]
) -> tuple[str | None, str | None, str]:
    """Return the key that customers had, the key that they have, and why they differ."""
    before, mid, now = (row[name] for name in ("before_id", "mid_id", "segment_id"))
    from_key = None if before is None else former.get(before)
    to_key = None if now is None else keys[now]
    if from_key is None or to_key is None:
        return from_key, to_key, "arrived" if from_key is None else "left"
    if from_key == to_key:
        return from_key, to_key, "stayed"
    if basis != "models":
        return from_key, to_key, "unknown"
    told = None if mid is None else former.get(mid)
    return from_key, to_key, "model" if told == from_key else "customer" if told == to_key else "both"
