"""Why this K: scatter, silhouette and stability over the K tried."""

from collections.abc import Callable

from markupsafe import Markup

from segmentation.report.marks import attributes
from segmentation.report.svg import WIDTH, Figure, element, join, write
from segmentation.report.words import Row, Rows
from segmentation.spelling import exact, percent, whole

_LEFT, _RIGHT, _TOP, _HEIGHT = 14.0, 30.0, 26.0, 170.0


def draw_evidence(grid: Rows) -> list[Figure]:
    """Return the figures of what was measured."""
    tried = sorted(grid, key=lambda row: row["k"])
    chosen = next((row for row in tried if row["is_chosen"]), None)
    figures = []
    if any(row["wssse"] is not None for row in tried):
        figures.append(_draw("scatter", "Scatter within segments", tried, "wssse", whole, None, _tell_scatter(tried, chosen)))
    if any(row["silhouette"] is not None for row in tried):
        finding = f"The chosen K has a silhouette of {exact(chosen['silhouette'])}." if chosen else "No K was chosen."
        if chosen and chosen["crowd_silhouette"] is not None:
            finding += f" One crowd with the same columns reaches {exact(chosen['crowd_silhouette'])}."
        figures.append(_draw("silhouette", "Silhouette", tried, "silhouette", exact, ("crowd_silhouette", "one crowd"), finding))
    if any(row["weakest_stability"] is not None for row in tried):
        told = exact(chosen["weakest_stability"]) if chosen else "–"
        finding = f"The least stable segment of the chosen K scores {told}; below 0.6 counts as unstable."
        figures.append(_draw("stability", "Stability", tried, "weakest_stability", exact, None, finding))
    return figures


def _tell_scatter(tried: Rows, chosen: Row | None) -> str:
    knee = next((row["k"] for row in tried if row["is_knee"]), None)
    bend = f"The curve bends at K = {knee}. " if knee else ""
    explained = chosen["explained_share"] if chosen else None
    kept = f"The chosen K explains {percent(explained)} of the differences." if explained is not None else ""
    return (bend + kept) or "Scatter falls as K grows."


def _draw(
    name: str,
    title: str,
    tried: Rows,
    column: str,
    spell: Callable[[object], str],
    beside: tuple[str, str] | None,
    finding: str,
) -> Figure:
    columns = [column, *([beside[0]] if beside and any(row[beside[0]] is not None for row in tried) else [])]
    values = [row[one] for row in tried for one in columns if row[one] is not None]
    low, high = min([0.0, *values]), max([*values, 1e-9])
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(tried) - 1)

    def spot(place: int, value: float) -> tuple[float, float]:
        return _LEFT + step * place, _TOP + _HEIGHT * (1 - (value - low) / (high - low or 1.0))

    base = spot(0, 0.0)[1]
    parts = [element("path", {"d": f"M0 {base:.1f}H{WIDTH}", "class": "axis"})]
    for one in reversed(columns):
        known = [(place, row) for place, row in enumerate(tried) if row[one] is not None]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in (spot(place, row[one]) for place, row in known))
        parts.append(element("path", {"d": f"M{line}", "class": "curve" if one == column else "curve dashed"}))
        if one != column and beside:
            x, y = spot(*(known[-1][0], known[-1][1][one]))
            parts.append(write(min(x, WIDTH), y + 15, beside[1], "soft halo", "end"))
    every = max(1, round(len(tried) / 7))
    for place, row in enumerate(tried):
        parts += _point(row, column, spell, place, spot, is_told=place % every == 0 or bool(row["is_chosen"]))
        x = _LEFT + step * place
        weight = "strong" if row["is_chosen"] else "soft"
        parts.append(write(x, base + 18, f"{row['k']}", weight, "middle", **attributes("grid", row, "k")))
        if row["is_chosen"]:
            parts.append(write(min(max(x, 24), WIDTH - 24), base + 34, "chosen", "strong", "middle"))
    parts.append(write(WIDTH, base + 34, "number of segments", "soft", "end"))
    return Figure(name, title, finding, join(parts), base + 42)


def _point(
    row: Row,
    column: str,
    spell: Callable[[object], str],
    place: int,
    spot: Callable[[int, float], tuple[float, float]],
    *,
    is_told: bool,
) -> list[Markup]:
    if row.get(column) is None:
        return []
    x, y = spot(place, row[column])
    fill = "var(--ink)" if row["is_chosen"] else "var(--paper)"
    dot = element("circle", {"cx": x, "cy": y, "r": 5.0 if row["is_chosen"] else 3.5, "style": f"fill:{fill};stroke:var(--ink)"})
    if not is_told:
        return [dot]
    weight = "strong halo small" if row["is_chosen"] else "halo small"
    return [dot, write(max(x, 16), y - 10, spell(row[column]), weight, "middle", **attributes("grid", row, column))]
