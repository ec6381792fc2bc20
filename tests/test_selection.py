"""Gates before silhouette, and a reason in words for every K."""

import pytest

from segmentation.selection import Candidate, choose_k

GRID = [
    # k, silhouette, smallest, largest, effective
    Candidate(2, 0.90, 0.01, 0.99, 2),
    Candidate(3, 0.40, 0.20, 0.45, 3),
    Candidate(4, 0.50, 0.15, 0.40, 4),
    Candidate(5, 0.50, 0.10, 0.30, 5),
    Candidate(6, None, 0.10, 0.30, 5),
]


def test_the_best_silhouette_that_passes_wins_and_the_smaller_k_breaks_a_tie() -> None:
    choice = choose_k(GRID, min_share=0.05, max_share=0.8, asked_k=None)

    assert choice.k == 4
    assert choice.eligible == {2: False, 3: True, 4: True, 5: True, 6: False}
    assert choice.verdicts[2] == "ruled out: smallest segment holds 1.00% of the customers, less than 5%"
    assert choice.verdicts[3] == "passed over: silhouette 0.400 against 0.500 of K = 4"
    assert choice.verdicts[6] == "ruled out: only 5 of 6 segments hold customers"


def test_a_k_asked_for_is_taken_and_the_rules_own_choice_told() -> None:
    choice = choose_k(GRID, min_share=0.05, max_share=0.8, asked_k=2)

    assert choice.k == 2
    assert choice.decision.startswith("K = 2: asked for; the rule would have taken K = 4")


def test_where_none_passes_the_reader_is_warned() -> None:
    choice = choose_k(GRID, min_share=0.4, max_share=0.8, asked_k=None)

    assert choice.k == 2
    assert "read the segments with care" in choice.decision


def test_no_usable_k_is_an_error() -> None:
    with pytest.raises(ValueError, match="no K has as many segments as asked"):
        choose_k(GRID[-1:], min_share=0, max_share=1, asked_k=None)
