"""Who is in each segment, by attributes that nothing else looks at; small groups are not shown, nor what would give them away."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pyspark.sql import Row

from segmentation.tables import Rows

Cell = tuple[int, str]  # a segment and a level


def count_representation(levels: Sequence[Row], sizes: Mapping[int, int], *, audited: Collection[str], min_cell: int) -> Rows:
    """Return the rows of ``tables.REPRESENTATION``.

    Parameters
    ----------
    levels : of ``profiles.summarise_levels``
    sizes : customers of each segment
    audited : attributes to count
    min_cell : groups of fewer customers, and those that could be worked out from them, are null
    """
    everyone = sum(sizes.values())
    rows = []
    for attribute in audited:
        counts = Counter({(row["segment_id"], row["level"]): row["customers"] for row in levels if row["feature"] == attribute})
        table = Crossing(counts, tuple(sizes), tuple(sorted({level for _, level in counts})))
        rare = table.find_rare(min_cell)
        hidden = table.hide(min_cell, rare)
        for segment, level in product(table.segments, table.levels):
            whole = None if level in rare else table.total(level) / everyone
            share = None if (segment, level) in hidden else counts[segment, level] / sizes[segment]
            rows.append(
                {
                    "segment_id": segment,
                    "attribute": attribute,
                    "level": level,
                    "customers": None if share is None else counts[segment, level],
                    "share": share,
                    "population_share": whole,
                    "index": None if share is None or whole is None else share / whole * 100,
                }
            )
    return rows


@dataclass(frozen=True)
class Crossing:
    """Customers by segment and level; the sums of both are known to whoever reads the tables."""

    counts: Counter[Cell]
    segments: tuple[int, ...]
    levels: tuple[str, ...]

    def total(self, level: str) -> int:
        """Return the customers with a level, of all segments."""
        return sum(self.counts[segment, level] for segment in self.segments)

    def find_rare(self, min_cell: int) -> set[str]:
        """Return the levels that too few customers have; a single one and the next rarest, or everybody's sum tells it."""
        by_size = sorted(self.levels, key=lambda level: (self.total(level), level))
        rare = sum(self.total(level) < min_cell for level in by_size)
        return set(by_size[: 2 if rare == 1 else rare])

    def hide(self, min_cell: int, rare: Collection[str]) -> set[Cell]:
        """Return the cells not to be shown: small ones, and in each line and column with one the next smallest.

        A cell alone in its line or column is the sum less the others (complementary suppression, Willenborg and de Waal
        2001, Elements of statistical disclosure control).
        """
        cells = set(product(self.segments, self.levels))
        hidden = {cell for cell in cells if 0 < self.counts[cell] < min_cell or cell[1] in rare}
        while True:
            lonely = [line for line in self._lines() if len(hidden & line) == 1 and line - hidden]
            if not lonely:
                return hidden
            for line in lonely:
                if len(hidden & line) == 1:
                    hidden.add(min(line - hidden, key=lambda cell: (self.counts[cell] == 0, self.counts[cell], cell)))

    def _lines(self) -> Iterator[set[Cell]]:
        for segment in self.segments:
            yield {(segment, level) for level in self.levels}
        for level in self.levels:
            yield {(segment, level) for segment in self.segments}
