"""What the segments are: size against revenue, heat map, distributions, map."""

import math
from collections.abc import Callable

from markupsafe import Markup

from segmentation.catalogue import MISSING_LEVEL, spell
from segmentation.report.marks import attributes, derived
from segmentation.report.svg import LETTER, WIDTH, Figure, element, join, write
from segmentation.report.words import Row, Rows, color_of, shorten, text_of
from segmentation.small_groups import NOT_SHOWN
from segmentation.spelling import number, percent, signed

Label = Callable[[str], str]  # what people call a feature
_MOST_HEAT_ROWS = 22
_LEAST_HEAT = 0.3  # a level that differs less is no news
_FULL_HEAT = 1.5  # population standard deviations with the full colour
MOST_DISTRIBUTIONS = 12


def draw_sizes(segments: Rows) -> Figure:
    """Return each segment's share of customers and of revenue, one bar under the other."""
    has_revenue = any(row["revenue_share"] is not None for row in segments)
    columns = [("customer_share", "of customers"), *([("revenue_share", "of revenue")] if has_revenue else [])]
    longest = max([row[name] or 0.0 for row in segments for name, _ in columns] + [0.01])
    parts, y, step = [], 0.0, 22.0 + 20 * len(columns)
    for row in segments:
        parts.append(_swatch(0, y + 4, color_of(row)))
        parts.append(_name(16, y + 14, row["segment_name"], 54, row))
        if row["customers"] is None:
            parts.append(write(16, y + 31, NOT_SHOWN, "soft"))
        for place, (name, what) in enumerate(columns if row["customers"] is not None else []):
            top, share = y + 20 + 19 * place, row[name]
            width = max(1.0, 215 * max(0.0, share or 0.0) / longest)
            look = {"fill": color_of(row), "class": "edge", "fill-opacity": 0.35 if place == 0 else 1.0}
            parts.append(element("rect", {"x": 0.0, "y": top, "width": width, "height": 14.0, "rx": 1.0, **look}))
            told = f"{percent(share)} {what}"
            parts.append(write(width + 6, top + 11, told, **attributes("segments", row, name)))
        y += step
    largest = max(segments, key=lambda row: row["revenue_share" if has_revenue else "customer_share"] or 0.0)
    finding = f"{largest['segment_name']}: {percent(largest['customer_share'])} of customers"
    if largest["customers"] is None:
        finding = f"Sizes are {NOT_SHOWN}"
    elif has_revenue:
        finding += f", {percent(largest['revenue_share'])} of revenue"
    return Figure("size_revenue", "Size against revenue", f"{finding}.", join(parts), y)


def choose_heat(profiles: Rows) -> list[str]:
    """Return the features of the heat map: numbers first, then the levels that differ most."""
    strongest: dict[str, float] = {}
    for row in profiles:
        if row["statistic"] == "z" and row["value"] is not None:
            strongest[row["feature"]] = max(abs(row["value"]), strongest.get(row["feature"], 0.0))
    numbers = [name for name in strongest if "=" not in name]
    levels = [
        name for name, most in strongest.items() if "=" in name and most >= _LEAST_HEAT and not name.endswith(f"={MISSING_LEVEL}")
    ]
    levels.sort(key=lambda name: (-strongest[name], name))
    return [*numbers[:_MOST_HEAT_ROWS], *levels[: max(0, _MOST_HEAT_ROWS - len(numbers))]]


def draw_heat_map(segments: Rows, profiles: Rows, label: Label) -> Figure:
    """Return how far each segment lies from all customers in each feature, in standard deviations."""
    cells = {(row["segment_id"], row["feature"]): row for row in profiles if row["statistic"] == "z"}
    left, top, height = 152.0, 84.0, 24.0
    width = max(26.0, (WIDTH - left) / len(segments))
    parts: list[Markup] = []
    for column, segment in enumerate(segments):
        x = left + width * (column + 0.5)
        turned = {"transform": f"rotate(-38 {x:.1f} {top - 10:.1f})"}
        parts.append(
            write(x - 4, top - 10, shorten(text_of(segment["segment_name"]), 17), "name small", **_named(segment), **turned)
        )
        parts.append(
            element("rect", {"x": x - width / 2 + 1, "y": top - 5, "width": width - 2, "height": 3.0, "fill": color_of(segment)})
        )
    features = choose_heat(profiles)
    for line, feature in enumerate(features):
        y = top + height * line
        parts.append(
            write(left - 6, y + 16, shorten(text_of(label(feature)), 25), "name small", "end", **derived("label", feature))
        )
        for column, segment in enumerate(segments):
            row = cells.get((segment["segment_id"], feature))
            if row is None:
                continue
            z, x = row["value"], left + width * column
            fill = "var(--high)" if (z or 0.0) > 0 else "var(--low)"
            shade = round(min(1.0, abs(z or 0.0) / _FULL_HEAT), 2)
            box = {"x": x + 1, "y": y + 1, "width": width - 2, "height": height - 2}
            parts.append(element("rect", {**box, "style": f"fill:{fill};fill-opacity:{shade}"}))
            parts.append(write(x + width / 2, y + 16, signed(z), "small", "middle", **attributes("profiles", row, "value")))
    known = [row for row in cells.values() if row["value"] is not None and row["feature"] in features]
    finding = "No feature differs between the segments."
    if known:
        most = max(known, key=lambda row: abs(row["value"]))
        name = next(row["segment_name"] for row in segments if row["segment_id"] == most["segment_id"])
        finding = f"Largest difference: {name}, {label(most['feature'])}, {signed(most['value'])} standard deviations."
    return Figure(
        "heat_map",
        "Segments by feature",
        finding,
        join(parts),
        top + height * len(features) + 4,
        left + width * len(segments) + 22,
    )


def draw_distributions(segments: Rows, histograms: Rows, label: Label) -> list[Figure]:
    """Return, for each number, the distribution of every segment above one axis, and of all customers below."""
    by_feature: dict[str, list[Row]] = {}
    for row in histograms:
        by_feature.setdefault(row["feature"], []).append(row)
    chosen = list(by_feature.items())[:MOST_DISTRIBUTIONS]
    return [
        _draw_distribution(f"distribution_{place:02d}", name, label(name), segments, rows)
        for place, (name, rows) in enumerate(chosen, 1)
    ]


def _draw_distribution(name: str, feature: str, title: str, segments: Rows, rows: Rows) -> Figure:
    bins = sorted({row["bin"] for row in rows})
    edges = {row["bin"]: (row["lower"], row["upper"]) for row in rows}
    step, band, parts = WIDTH / max(1, len(bins)), 40.0, list[Markup]()
    y, peaks = 0.0, {}
    for segment in [*segments, None]:
        who = segment["segment_id"] if segment else None
        own = {row["bin"]: row for row in rows if row["segment_id"] == who and row["customers"] is not None}
        total = sum(row["customers"] for row in own.values())
        if not total:
            continue
        look = {"fill": color_of(segment) if segment else "var(--soft)", "class": "edge"}
        highest = max(row["customers"] for row in own.values())
        parts.append(_name(0, y + 12, segment["segment_name"] if segment else "All customers", 48, segment))
        for place, number_of in enumerate(bins):
            size = own[number_of]["customers"] if number_of in own else 0
            tall = band * size / highest
            if size:
                box = {"x": step * place + 0.5, "y": y + 18 + band - tall, "width": step - 1, "height": max(1.0, tall)}
                parts.append(element("rect", {**box, **look}))
        parts.append(element("path", {"d": f"M0 {y + 18.5 + band:.1f}H{WIDTH}", "class": "axis"}))
        if segment:
            top = max(own, key=lambda one: (own[one]["customers"], -one))
            peaks[segment["segment_name"]] = f"{spell(feature, edges[top][0])} to {spell(feature, edges[top][1])}"
        y += band + 28
    for place, number_of in enumerate(bins):
        if place % 3 == 0 and WIDTH - step * place > 5 * LETTER:
            row = next(row for row in rows if row["bin"] == number_of)
            parts.append(
                write(step * place, y + 4, spell(feature, row["lower"]), "soft small", **attributes("histograms", row, "lower"))
            )
    last = next(row for row in rows if row["bin"] == bins[-1])
    parts.append(
        write(WIDTH, y + 4, spell(feature, last["upper"]), "soft small", "end", **attributes("histograms", last, "upper"))
    )
    finding = f"Most common {title.lower()}: " + "; ".join(f"{name} {where}" for name, where in peaks.items()) + "."
    if any(row["customers"] is None for row in rows):
        finding += " Bars of too few customers are not drawn."
    return Figure(name, title, finding, join(parts), y + 12)


def draw_map(segments: Rows, points: Rows, axes: Rows) -> Figure:
    """Return a sample of customers on two axes, a dot each, with the segments' names at their middles."""
    xs, ys = [row["x"] for row in points], [row["y"] for row in points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    scale = (WIDTH - 16) / max(right - left, high - low, 1e-9)
    height = min(440.0, max(200.0, (high - low) * scale + 16))

    def place(x: float, y: float) -> tuple[float, float]:
        return 8 + (x - left) * scale, height - 8 - (y - low) * scale

    parts, middles = list[Markup](), []
    for segment in segments:
        own = [place(row["x"], row["y"]) for row in points if row["segment_id"] == segment["segment_id"]]
        if not own:
            continue
        path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in own)
        look = {"stroke": color_of(segment), "stroke-width": 3.6, "stroke-linecap": "round", "stroke-opacity": 0.75}
        parts.append(element("path", {"d": path, "fill": "none", **look}))
        middles.append((sum(y for _, y in own) / len(own), sum(x for x, _ in own) / len(own), segment))
    above = -math.inf
    for y, x, segment in sorted(middles, key=lambda one: one[:2]):
        above = max(y, above + 17)
        name = shorten(text_of(segment["segment_name"]), 30)
        half = len(name) * LETTER / 2
        parts.append(write(min(max(x, half), WIDTH - half), above, name, "strong halo name", "middle", **_named(segment)))
    shares = {row["axis"]: row["explained_share"] for row in axes}
    kept = sum(shares.values())
    finding = (
        f"{number(len(points))} customers of the sample; the two axes keep {percent(kept)} of the differences between customers."
    )
    return Figure("map", "Map of customers", finding, join(parts), height)


def _swatch(x: float, y: float, color: str) -> Markup:
    return element("rect", {"x": x, "y": y, "width": 11.0, "height": 11.0, "rx": 2.0, "fill": color, "class": "edge"})


def _name(x: float, y: float, name: str, most: int, segment: Row | None) -> Markup:
    own = _named(segment) if segment else {}
    return write(x, y, shorten(text_of(name), most), "strong name" if segment else "soft", **own)


def _named(segment: Row) -> dict[str, str]:
    return derived("name", segment["segment_name"])
