"""Traits are read from profiles, spoken of by the catalogue, and told with their numbers."""

from typing import Any

from segmentation.catalogue import label
from segmentation.traits import read_traits

TOYS = {"category_share_1a2b3c4d": "Игрушки", "category_share_red_wine": "RED WINE"}


def profile(feature: str, own: float, everyone: float, z: float | None) -> list[dict[str, Any]]:
    names = ("share", "population_share") if "=" in feature else ("mean", "population_mean")
    values = {names[0]: own, names[1]: everyone, "z": z}
    return [{"segment_id": 0, "feature": feature, "statistic": name, "value": value} for name, value in values.items()]


def test_every_kind_of_feature_is_told_by_its_label_and_in_its_unit() -> None:
    rows = [
        *profile("monetary_total", 3498.4, 1861.2, 1.2),
        *profile("discount_share", 0.2, 0.16, 0.4),
        *profile("category_share_1a2b3c4d", 0.5, 0.25, 0.9),
        *profile("category_share_red_wine", 0.05, 0.25, -0.9),
        *profile("senior", 0.6, 0.2, 0.8),
        *profile("plan=gold", 0.9, 0.5, 0.8),
    ]

    traits = read_traits(rows, flags={"senior"}, categories=TOYS)[0]

    assert [trait.receipt for trait in traits] == [
        "Total spend 3,498 (all 1,861)",
        "Discount share 20% (all 16%)",
        "Spent on Игрушки 50% (all 25%)",
        "Spent on red wine 5.0% (all 25%)",
        "Senior 60% (all 20%)",
        "Plan: gold 90% (all 50%)",
    ]
    assert [trait.words for trait in traits] == [
        "high spend",
        "much discount",
        "high share of Игрушки",
        "low share of red wine",
        "often senior",
        "gold plan",
    ]


def test_what_is_missing_or_undefined_is_no_trait() -> None:
    rows = [*profile("plan=(missing)", 0.9, 0.5, 0.8), *profile("age", 30.0, 30.0, None)]

    assert read_traits(rows, flags=(), categories={}) == {0: []}
    assert label("plan=(missing)", {}) == "Plan: not known"
