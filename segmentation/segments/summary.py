"""The collected aggregates of the segments, and what follows from them without another look at the customers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segmentation import catalogue
from segmentation.clustering.preparation import Ingredient
from segmentation.segments.histograms import Scale
from segmentation.segments.levels import Population, find_levels
from segmentation.segments.naming import Portrait
from segmentation.segments.naming_rules import find_archetype
from segmentation.segments.profiles import SHARES, SegmentSize, Summarised, read_quantiles
from segmentation.segments.tree_rules import Question
from segmentation.tables import Rows
from segmentation.traits import Trait


@dataclass(frozen=True)
class Summary:
    """The collected aggregates: a row per segment and one for the population, and customers per category level."""

    rows: Sequence[Summarised]
    levels: Sequence[Any]
    numbers: tuple[str, ...]
    sizes: tuple[SegmentSize, ...]

    @property
    def population(self) -> Summarised:
        """The row of all customers."""
        return next(row for row in self.rows if row["segment_id"] is None)

    def quantiles(self) -> dict[str, tuple[float, ...]]:
        """Return the quantiles of all customers by number."""
        return read_quantiles(self.population, numbers=self.numbers)

    def figures(self) -> Rows:
        """Return the rows of ``tables.FIGURES``."""
        found = []
        for row in self.rows:
            own = read_quantiles(row, numbers=self.numbers)
            for place, name in enumerate(self.numbers):
                values = own.get(name)
                found.append(
                    {
                        "segment_id": row["segment_id"],
                        "feature": name,
                        "mean": row[f"n{place}"]["mean"],
                        "median": values[SHARES.index(0.5)] if values else None,
                        "p90": values[SHARES.index(catalogue.PATIENCE)] if values else None,
                    }
                )
        return found

    def scales(self, shown: Sequence[str], logs: Collection[str]) -> dict[str, Scale]:
        """Return the scale of the histogram of each number shown, on a log scale where it is one of ``logs``."""
        quantiles = self.quantiles()
        return {name: Scale(quantiles[name][0], quantiles[name][-1], name in logs) for name in shown if name in quantiles}

    def question(self, one: Ingredient, label: str) -> Question | None:
        """Return how the tree asks for an ingredient, None of one without values."""
        if one.kind != "number":
            found = sorted({row["level"] for row in self.levels if row["feature"] == one.name})
            if one.kind == "category":
                return Question(one.name, label, "category", levels=tuple(found))
            return Question(
                one.name, label, "ordinal", levels=one.order, unknown=-1.0 if catalogue.MISSING_LEVEL in found else 0.0
            )
        seen = self.population[f"n{self.numbers.index(one.name)}"]
        if seen["lowest"] is None:
            return None
        lowest, highest = seen["lowest"], seen["highest"]
        is_missing = seen["present"] < self.population["customers"]
        return Question(
            one.name,
            label,
            "number",
            is_whole=catalogue.is_whole(one.name),
            unknown=lowest - (highest - lowest) - 1 if is_missing else lowest,
            lowest=lowest,
        )

    def portraits(
        self, traits: Mapping[int, Sequence[Trait]], *, clustered: Collection[str], described: Collection[str], has_orders: bool
    ) -> dict[int, Portrait]:
        """Return what each segment is named after: an archetype where there are orders, and traits of what it was formed by.

        Parameters
        ----------
        clustered : features that the segments were formed by
        described : features that were switched on, the clustered ones among them
        """
        population = Population(SHARES, self.quantiles())
        medians = {(row["segment_id"], row["feature"]): row["median"] for row in self.figures()}
        found = {}
        for segment, own in traits.items():
            middle = {name: medians[segment, name] for name in self.numbers}
            archetype = find_archetype(find_levels(middle, own, population)) if has_orders else None
            kept = tuple(trait for trait in own if trait.subject in clustered or trait.subject not in described)
            found[segment] = Portrait(archetype, kept)
        return found
