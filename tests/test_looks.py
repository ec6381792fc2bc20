"""Names and colours of the configuration over those of the rules."""

from typing import Any

from segmentation.looks import lay_over
from segmentation.palette import PALETTE

ODD = '</script><b>"\u03a9" \U0001f6d2 \u202e\u05e9\u05dc\u05d5\u05dd'


def segments(*names: str) -> list[dict[str, Any]]:
    return [{"segment_id": place, "segment_name": "old", "rule_name": name, "color": "old"} for place, name in enumerate(names)]


def test_a_given_name_stands_as_it_is_and_changes_no_other() -> None:
    rows = lay_over(segments("Lapsed customers, new", "Lapsed customers, long-standing"), names={0: ODD, 7: "nobody"}, colors={})

    assert [row["segment_name"] for row in rows] == [ODD, "Lapsed customers, long-standing"]


def test_a_rule_name_that_was_given_to_another_gets_its_number() -> None:
    rows = lay_over(segments("A", "B", "B (1)"), names={0: "B"}, colors={})

    assert [row["segment_name"] for row in rows] == ["B", "B (1)'", "B (1)"]


def test_without_a_word_of_the_configuration_rules_and_palette_hold() -> None:
    rows = lay_over(segments("A", "B"), names={}, colors={1: "#ABCDEF"})

    assert [row["segment_name"] for row in rows] == ["A", "B"]
    assert [row["color"] for row in rows] == [PALETTE[0], "#ABCDEF"]
