"""A figure as SVG: an element, a text, the frame around them."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.report.words import text_of

WIDTH = 360  # units; a phone shows them as they are, so that 12 units of text are readable there
LETTER = 6.3  # mean width of a letter of the usual size, units
STYLE = """
svg{--ink:#1c2126;--soft:#59636e;--line:#c9d1d9;--paper:#fff;--high:#e8912d;--low:#6aa5dc;font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e9edf1;--soft:#a8b3bd;--line:#46505a;--paper:#15191d;--high:#945006;--low:#1f5f9e}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.strong{font-weight:600}.small{font-size:11px}
.axis{stroke:var(--line);fill:none}.name{unicode-bidi:isolate}.halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.curve{fill:none;stroke:var(--ink);stroke-width:2}.dashed{stroke:var(--soft);stroke-dasharray:4 4}.edge{stroke:var(--soft)}
"""


@dataclass(frozen=True)
class Figure:
    """A drawn figure. ``name`` is fixed, never from data; ``finding`` is what it shows, in a sentence."""

    name: str
    title: str
    finding: str
    body: Markup
    height: float
    width: float = WIDTH

    def __html__(self) -> str:
        return self._draw(Markup(""), "")

    def file(self) -> str:
        """Return the figure as a file of its own."""
        return self._draw(Markup("<style>{}</style>").format(Markup(STYLE)), ' xmlns="http://www.w3.org/2000/svg"')

    def _draw(self, style: Markup, space: str) -> str:
        head = Markup(
            '<svg{space} role="img" aria-labelledby="{name}-title {name}-desc" data-figure="{name}" '
            'viewBox="0 0 {width} {height}">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{finding}</desc>'
        ).format(
            space=Markup(space),
            name=self.name,
            title=text_of(self.title),
            finding=text_of(self.finding),
            width=f"{self.width:.0f}",
            height=f"{self.height:.0f}",
        )
        return str(head + style + self.body + Markup("</svg>"))


def element(tag: str, own: Mapping[str, object], inside: str | Markup = "") -> Markup:
    """Return an element; numbers are rounded to a tenth, text is escaped."""
    told = Markup("").join(Markup(' {}="{}"').format(Markup(name), _short(value)) for name, value in own.items())
    inner = inside if isinstance(inside, Markup) else text_of(inside)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), told, inner)


def write(x: float, y: float, text: str, kind: str = "", anchor: str = "start", **more: object) -> Markup:
    """Return a line of text."""
    own: dict[str, object] = {"x": x, "y": y}
    if kind:
        own["class"] = kind
    if anchor != "start":
        own["text-anchor"] = anchor
    own.update({name.replace("_", "-"): value for name, value in more.items()})
    return element("text", own, text)


def join(parts: list[Markup]) -> Markup:
    """Return the parts one after the other."""
    return Markup("").join(parts)


def _short(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else text_of(value)
