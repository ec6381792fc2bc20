"""No count of a small group is shown, and none follows from what is: held against linear programming."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from segmentation.small_groups import Cell, Crossing, find_hidden, is_any_small, is_small, spell_few

TABLES = st.lists(st.lists(st.one_of(st.just(0), st.integers(1, 30)), min_size=3, max_size=3), min_size=2, max_size=4)


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ({"a": 50, "b": 40}, ""),
        ({"a": 50, "b": 40, "c": 0}, ""),
        ({"a": 50, "b": 4, "c": 30}, "bc"),  # b is small, and c with it
        ({"a": 50, "b": 4, "c": 3}, "abc"),  # 7 in all would be a small group
        ({"a": 50, "b": 6, "c": 7}, "bc"),  # 13 are not
        ({"a": 4}, "a"),  # nobody is left to hide behind
    ],
)
def test_a_small_group_goes_with_the_next_smallest(sizes: dict[str, int], hidden: str) -> None:
    assert find_hidden(sizes, 10) == set(hidden)
    assert find_hidden(sizes, 1) == find_hidden(sizes, 0) == set()


def test_what_is_hidden_for_another_reason_is_filled_up_too() -> None:
    assert find_hidden({0: 50, 1: 40, 2: 30}, 10, also={0}) == {0, 2}


def test_a_number_that_parts_a_whole_tells_of_both_parts() -> None:
    assert [is_any_small(parts, 10) for parts in ((20, 0), (20, 30), (20, 3))] == [False, False, True]
    assert [spell_few(count, 10) for count in (0, 9, 1234)] == ["0", "fewer than 10", "1,234"]


def cross(table: list[list[int]], min_cell: int, *, levels: bool) -> tuple[Crossing, frozenset[Cell]]:
    """Return the crossing of segments and levels, the small ones of which show nothing, and what is hidden."""
    counts = {(row, place): count for row, line in enumerate(table) for place, count in enumerate(line)}
    rows = find_hidden({row: sum(line) for row, line in enumerate(table)}, min_cell)
    columns = find_hidden({place: sum(line[place] for line in table) for place in range(3)}, min_cell) if levels else frozenset()
    crossing = Crossing(counts, rows, columns)
    return crossing, crossing.hide(min_cell)


def find_ranges(crossing: Crossing, hidden: frozenset[Cell]) -> dict[Cell, tuple[float, float]]:
    """Return the least and the most that each hidden cell can be, for one who knows all that is shown."""
    cells = sorted(hidden)
    loose = [("sum", 0, row) for row in crossing.hidden_rows] + [("sum", 1, column) for column in crossing.hidden_columns]
    names: list[object] = [*cells, *loose, "total"]
    equations, values = [], []

    def say(coefficients: dict[object, int], value: float) -> None:
        equations.append([coefficients.get(name, 0) for name in names])
        values.append(value)

    every = sum(crossing.counts.values())
    for side, lost in enumerate((crossing.hidden_rows, crossing.hidden_columns)):
        keys = {cell[side] for cell in crossing.counts}
        totals = {key: sum(count for cell, count in crossing.counts.items() if cell[side] == key) for key in keys}
        for key in keys:
            shown = sum(count for cell, count in crossing.counts.items() if cell[side] == key and cell not in hidden)
            own: dict[object, int] = {cell: 1 for cell in cells if cell[side] == key}
            say(own | ({("sum", side, key): -1} if key in lost else {}), (0 if key in lost else totals[key]) - shown)
        known = sum(total for key, total in totals.items() if key not in lost)
        say({**{("sum", side, key): 1 for key in lost}, "total": -1}, -known)
    if crossing.has_total:
        say({"total": 1}, every)
    found = {}
    for place, cell in enumerate(cells):
        goal = np.zeros(len(names))
        goal[place] = 1
        ends = [linprog(sign * goal, A_eq=equations, b_eq=values, bounds=(0, 10_000), method="highs").fun for sign in (1, -1)]
        found[cell] = (ends[0], -ends[1])
    return found


@settings(deadline=None, max_examples=100)
@given(TABLES, st.integers(2, 15), st.booleans())
def test_no_hidden_count_follows_from_what_is_shown(table: list[list[int]], min_cell: int, levels: bool) -> None:
    crossing, hidden = cross(table, min_cell, levels=levels)

    assert all(cell in hidden for cell, count in crossing.counts.items() if 0 < count < min_cell)
    is_alone = sum(map(sum, table)) < min_cell or sum(any(line) for line in table) < 2  # then all is one group
    if not is_alone and (levels or sum(any(line[place] for line in table) for place in range(3)) > 1):
        for cell, (least, most) in find_ranges(crossing, hidden).items():
            assert most - least > 0.5 or crossing.counts[cell] == 0, (cell, least, most)


@given(TABLES, st.integers(2, 15))
def test_what_a_line_hides_is_no_small_group_either(table: list[list[int]], min_cell: int) -> None:
    crossing, hidden = cross(table, min_cell, levels=True)

    for side, lost in enumerate((crossing.hidden_rows, crossing.hidden_columns)):
        for key in {cell[side] for cell in crossing.counts} - set(lost):
            line = {cell for cell in crossing.counts if cell[side] == key}
            assert line <= hidden or not is_small(sum(crossing.counts[cell] for cell in line & hidden), min_cell)


def test_each_way_between_two_groups_is_a_cell_of_its_own() -> None:
    counts = {("a", "a", "stayed"): 100, ("a", "b", "customer"): 3, ("a", "b", "model"): 40, ("b", "b", "stayed"): 60}

    hidden = Crossing(counts).hide(10)

    assert hidden == {("a", "b", "customer"), ("a", "b", "model")}  # each total stays as it is whichever of both is 3


def test_large_groups_and_a_minimum_of_one_hide_nothing() -> None:
    counts = dict.fromkeys(product("ab", "cd"), 10)

    assert not Crossing(counts).hide(10)
    assert not Crossing(dict.fromkeys(counts, 1)).hide(1)
