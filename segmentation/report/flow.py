"""Where the customers of each segment went: ribbons from the run before, on the left, to this one, on the right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.report.marks import derived
from segmentation.report.movement import Movement
from segmentation.report.svg import WIDTH, Figure, element, join, write
from segmentation.report.words import Rows, color_of, shorten, text_of
from segmentation.spelling import percent, whole

_TALL, _GAP, _BAR, _LEFT, _TOP = 260.0, 12.0, 12.0, 100.0, 18.0
_GREY = "#7F7F7F"
_LETTERS = 16


@dataclass
class _Bar:
    """A segment on one side; ``filled`` is how much of it has its ribbons already, units."""

    name: str
    color: str
    customers: int
    top: float
    high: float
    filled: float = 0.0
    is_whole: bool = True


def draw_flow(movement: Movement, segments: Rows) -> Figure | None:
    """Return who went where, None where nothing is shown of it; who arrived and who left are grey."""
    ways = {way: size for way, size in movement.moves.items() if size}
    if not ways:
        return None
    total = sum(ways.values())
    then = _stack(movement.then, [(start, size) for (start, _), size in ways.items()], total, other="arrived")
    now = _stack(segments, [(end, size) for (_, end), size in ways.items()], total, other="left")
    parts = [write(_LEFT, 10, "then", "soft small", "end"), write(WIDTH - _LEFT, 10, "now", "soft small")]
    for (start, end), size in sorted(ways.items(), key=lambda item: (str(item[0][0]), str(item[0][1]))):
        high = _TALL * size / total
        path = _ribbon(then[start], now[end], high)
        told = "|".join("" if one is None else str(one) for one in (start, end))
        own = {"d": path, "fill": then[start].color, "fill-opacity": 0.4, **derived(f"moves:{told}", size)}
        parts.append(element("path", own, element("title", {}, f"{whole(size)} customers")))
    # Of a bar with ribbons that are not shown nobody knows how large it is.
    for start, end in (way for way, size in movement.moves.items() if size is None):
        then[start].is_whole = now[end].is_whole = False
    parts += _draw_bars(then.values(), total, is_left=True) + _draw_bars(now.values(), total, is_left=False)
    height = max(bar.top + bar.high for bars in (then, now) for bar in bars.values()) + 16
    finding = f"{whole(movement.same)} of {whole(movement.known)} customers of both runs are in the segment in which they were."
    if None in (movement.same, movement.known):
        finding = "Ways of too few customers are not drawn."
    if not movement.has_heir:
        finding = "No segment went on from the run before."
    return Figure("flow", "Who went where", finding, join(parts), height)


def fit_name(name: str) -> str:
    """Return a name short enough to stand beside a bar: what follows its comma tells it from its neighbour."""
    _, comma, rest = name.rpartition(", ")
    return shorten(f"… {rest}" if comma and len(name) > _LETTERS else name, _LETTERS)


def _stack(rows: Rows, sizes: Sequence[tuple[int | None, int]], total: int, *, other: str) -> dict[int | None, _Bar]:
    """Return a bar per segment, one under the other, and one called ``other`` of those whom only the other run knows."""
    named: dict[int | None, tuple[str, str]] = {row["segment_id"]: (text_of(row["segment_name"]), color_of(row)) for row in rows}
    bars, top = {}, _TOP
    for key, (name, color) in {**named, None: (other, _GREY)}.items():
        customers = sum(size for one, size in sizes if one == key)
        bars[key] = _Bar(name, color, customers, top, _TALL * customers / total)
        top += bars[key].high + (_GAP if customers else 0.0)
    return bars


def _ribbon(start: _Bar, end: _Bar, high: float) -> str:
    """Return the path of a ribbon, and take its place in both bars."""
    near, far = _LEFT + _BAR, WIDTH - _LEFT - _BAR
    middle, top, bottom = (near + far) / 2, start.top + start.filled, end.top + end.filled
    start.filled, end.filled = start.filled + high, end.filled + high
    there = f"M{near:.1f} {top:.1f}C{middle:.1f} {top:.1f} {middle:.1f} {bottom:.1f} {far:.1f} {bottom:.1f}"
    back = f"C{middle:.1f} {bottom + high:.1f} {middle:.1f} {top + high:.1f} {near:.1f} {top + high:.1f}Z"
    return f"{there}V{bottom + high:.1f}{back}"


def _draw_bars(bars: Iterable[_Bar], total: int, *, is_left: bool) -> list[Markup]:
    parts = []
    x, words, anchor = (_LEFT, _LEFT - 5, "end") if is_left else (WIDTH - _LEFT - _BAR, WIDTH - _LEFT + 5, "start")
    for bar in (one for one in bars if one.customers):
        parts.append(element("rect", {"x": x, "y": bar.top, "width": _BAR, "height": max(bar.high, 1.0), "fill": bar.color}))
        middle, side = bar.top + bar.high / 2, "then" if is_left else "now"
        own = derived(f"side:{side}|{bar.name}", bar.customers)
        parts.append(write(words, middle, fit_name(bar.name), "small name", anchor))
        if bar.is_whole:
            parts.append(write(words, middle + 12, percent(bar.customers / total), "soft small", anchor, **own))
    return parts
