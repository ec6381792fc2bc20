"""``figures``, ``profiles``, ``segments`` and the customers to ``actions``: whom to write what, counted at once."""

from dataclasses import asdict

from segmentation.advice.actions import build_actions, find_advice
from segmentation.advice.addressed import count_addressed
from segmentation.advice.figures import Figures, read_figures
from segmentation.catalogue import NAMES
from segmentation.readings import choose_ingredients, computed_shares, find_members, read_described
from segmentation.run import Run, check_featured
from segmentation.tables import ACTIONS, FIGURES, PROFILES, SEGMENTS
from segmentation.traits import read_traits

# The period of the baseline rate where nobody ever ordered twice.
_DAYS = 30


def advise(run: Run) -> str:
    """Find what to advise each segment, and count whom it speaks to."""
    known, config = check_featured(run), run.config
    # Nothing is advised where a segment is too small to be shown: each piece would tell of it.
    sizes = {row["segment_id"]: row["customers"] for row in read_described(run, SEGMENTS) if row["customers"] is not None}
    figures = read_figures(run.read_rows(FIGURES))
    everyone = figures.get(None, Figures({}, {}))  # there are none where only categories are known
    clustered = {one.name for one in choose_ingredients(run, known)}
    categories = computed_shares(known)
    traits = read_traits(read_described(run, PROFILES), flags=(), categories=categories)
    found = {
        segment: find_advice(
            segment,
            figures.get(segment, everyone),
            everyone,
            [trait for trait in traits.get(segment, []) if trait.subject not in clustered],
            revenue=config.revenue_feature,
        )
        for segment in sizes
    }
    has_orders = config.sources.transactions is not None
    days = config.segments.baseline_days or everyone.usual_gap or _DAYS
    run.step("count whom the advice speaks to")
    counted = count_addressed(
        find_members(run, known),
        [one for own in found.values() for one in own],
        days=days if has_orders else None,
        usual_tenure=everyone.medians.get(NAMES["tenure"]),
        revenue=config.revenue_feature,
        min_cell=config.privacy.min_cell,
    )
    actions = [
        action
        for segment, own in found.items()
        for action in build_actions(
            own,
            counted.of(own, size=sizes[segment]),
            size=sizes[segment],
            lift=config.segments.lift,
            days=days,
            categories=categories,
            min_cell=config.privacy.min_cell,
        )
    ]
    run.write_rows(([asdict(one) for one in actions], ACTIONS))
    return f"{len(actions)} actions for {len(sizes)} segments"
