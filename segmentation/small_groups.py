"""Which groups of customers are too few to be shown, and what else has to go so that nobody can work them out.

Counts in, what to hide out; plain Python. A group of 1 to ``min_cell`` - 1 customers shows neither count nor statistic, and
what is hidden of a known whole is always at least two groups and at least ``min_cell`` customers (complementary suppression,
Willenborg and de Waal 2001, Elements of statistical disclosure control). A ``min_cell`` of 1 or 0 hides nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

NOT_SHOWN = "not shown"
Group = TypeVar("Group", bound=Hashable)
Cell = tuple[Any, ...]  # a row, a column, and what tells several cells of both apart


def is_small(customers: int, min_cell: int) -> bool:
    """Say whether a group is too small to be shown; one without anybody is not."""
    return 0 < customers < min_cell


def is_any_small(parts: Iterable[int], min_cell: int) -> bool:
    """Say whether a number that parts a known whole would show a small group."""
    return any(is_small(part, min_cell) for part in parts)


def spell_few(customers: int, min_cell: int) -> str:
    """Return a count as text, of a small group in words."""
    return f"fewer than {min_cell}" if is_small(customers, min_cell) else f"{customers:,}"


def find_hidden(sizes: Mapping[Group, int], min_cell: int, *, also: Collection[Group] = ()) -> frozenset[Group]:
    """Return which groups that make up a known whole show nothing: the small ones, and the next smallest with them.

    Parameters
    ----------
    sizes : customers of each group
    also : groups that show nothing for another reason
    """
    hidden = {group for group in sizes if is_small(sizes[group], min_cell) or group in also}
    others = sorted(
        (group for group in sizes if group not in hidden and sizes[group]), key=lambda group: (sizes[group], str(group))
    )
    for group in others:
        if not _gives_away([sizes[one] for one in hidden], min_cell):
            break
        hidden.add(group)
    return frozenset(hidden)


def _gives_away(hidden: Sequence[int], min_cell: int) -> bool:
    """Say whether the whole less what is shown would tell of a small group."""
    return is_small(sum(hidden), min_cell) or (len(hidden) == 1 and sum(hidden) > 0)


@dataclass(frozen=True)
class Crossing:
    """Customers by row and column, of which the totals of rows, of columns and of all are known, but for some.

    ``hidden_rows`` and ``hidden_columns`` show nothing, not even their total. ``has_total`` says whether that of all is known.
    """

    counts: Mapping[Cell, int]
    hidden_rows: Set[Any] = field(default_factory=frozenset)
    hidden_columns: Set[Any] = field(default_factory=frozenset)
    has_total: bool = True

    def hide(self, min_cell: int) -> frozenset[Cell]:
        """Return the cells not to be shown, so that no count above 0 among them follows from the others and the totals."""
        hidden = {cell for cell, count in self.counts.items() if is_small(count, min_cell) or self._is_lost(cell)}
        if not hidden:
            return frozenset()
        lines = self._lines()
        while True:
            self._fill(lines, hidden, min_cell)
            exposed = self._find_exposed(hidden)
            if exposed is None:
                return frozenset(hidden)
            near = [cell for cell in self.counts if cell not in hidden and (cell[0] == exposed[0] or cell[1] == exposed[1])]
            more = near or [cell for cell in self.counts if cell not in hidden]
            if not more:
                return frozenset(hidden)
            hidden.add(min(more, key=self._cost))

    def _is_lost(self, cell: Cell) -> bool:
        return cell[0] in self.hidden_rows or cell[1] in self.hidden_columns

    def _cost(self, cell: Cell) -> tuple[int, str]:
        """Order what to hide: the smallest first."""
        return self.counts[cell], str(cell)

    def _lines(self) -> list[list[Cell]]:
        """Return the cells of each row and column whose total is known, cheapest first."""
        lines: dict[tuple[int, Any], list[Cell]] = defaultdict(list)
        for cell in sorted(self.counts, key=self._cost):
            for side, known in enumerate((self.hidden_rows, self.hidden_columns)):
                if cell[side] not in known:
                    lines[side, cell[side]].append(cell)
        return list(lines.values())

    def _fill(self, lines: list[list[Cell]], hidden: set[Cell], min_cell: int) -> None:
        """Hide more in every line whose total less what it shows would tell of a small group."""
        is_done = False
        while not is_done:
            is_done = True
            for line in lines:
                own = [self.counts[cell] for cell in line if cell in hidden]
                shown = [cell for cell in line if cell not in hidden]
                while _gives_away(own, min_cell) and shown:
                    # A cell without anybody makes one of two, but no group larger.
                    cell = next((one for one in shown if self.counts[one] or not is_small(sum(own), min_cell)), shown[0])
                    shown.remove(cell)
                    hidden.add(cell)
                    own.append(self.counts[cell])
                    is_done = False

    def _find_exposed(self, hidden: set[Cell]) -> Cell | None:
        """Return a hidden cell with customers that has one possible count, None where each has more.

        What is hidden can be otherwise along the cycles of a network (Gusfield 1988, A graph theoretic approach to statistical
        data security): each hidden number is an arc from its row to its column, a hidden total one from the source to its row
        or from its column to the sink. It can be more, and, where it is not 0, less.
        """
        arcs: list[tuple[Any, Any, Cell | None]] = [((0, cell[0]), (1, cell[1]), cell) for cell in hidden]
        arcs += [("source", (0, row), None) for row in self.hidden_rows]
        arcs += [((1, column), "sink", None) for column in self.hidden_columns]
        if not self.has_total:
            arcs.append(("sink", "source", None))
        ways: dict[Any, list[tuple[Any, int]]] = defaultdict(list)
        for number, (start, end, of) in enumerate(arcs):
            ways[start].append((end, number))
            if of is None or self.counts[of]:
                ways[end].append((start, number))
        for number, (start, end, of) in enumerate(arcs):
            if of is None or not self.counts[of]:
                continue
            if not (_leads(ways, end, start, number) or _leads(ways, start, end, number)):
                return of
        return None


def _leads(ways: Mapping[Any, list[tuple[Any, int]]], start: Any, end: Any, but: int) -> bool:
    """Say whether there is a way from a place to another one that does not take an arc."""
    seen, todo = {start}, [start]
    while todo:
        for place, number in ways.get(todo.pop(), ()):
            if number != but and place not in seen:
                if place == end:
                    return True
                seen.add(place)
                todo.append(place)
    return False
