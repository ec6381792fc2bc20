"""Names and colours of the configuration over those of the rules."""

from typing import Any

from segmentation.looks import carry_segments, keep, lay_over
from segmentation.palette import PALETTE

ODD = '</script><b>"\u03a9" \U0001f6d2 \u202e\u05e9\u05dc\u05d5\u05dd'


def segments(*names: str) -> list[dict[str, Any]]:
    shared = {"segment_name": "old", "color": "old", "kept_name": None, "kept_color": None}
    return [
        {**shared, "segment_id": place, "segment_key": f"S{place + 1:04d}", "rule_name": name} for place, name in enumerate(names)
    ]


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


def test_a_key_names_the_segment_whatever_its_number() -> None:
    rows = lay_over(segments("A", "B"), names={"S0002": "Best", 0: "First"}, colors={"S0001": "#000000"})

    assert [row["segment_name"] for row in rows] == ["First", "Best"]
    assert rows[0]["color"] == "#000000"


def test_kept_names_and_colours_stand_and_new_segments_take_others() -> None:
    rows = segments("A", "A", "B")
    rows[0] |= {"kept_name": "A", "kept_color": PALETTE[1]}

    looked = lay_over(rows, names={}, colors={})

    assert [row["segment_name"] for row in looked] == ["A", "A (1)", "B"]
    assert looked[0]["color"] == PALETTE[1]
    assert len({row["color"] for row in looked}) == 3


def test_a_survivor_keeps_its_name_unless_its_nature_changed() -> None:
    kinds, former_kinds, shifts = (None, None, "loyal"), (None, None, "lapsed"), (0.1, 0.9, 0.0)
    now = [{**row, "archetype": kind} for row, kind in zip(segments("New", "More visits", "Loyal"), kinds, strict=True)]
    former = [
        {**row, "segment_name": f"{row['rule_name']}!", "archetype": kind, "color": "#111111"}
        for row, kind in zip(segments("Old", "Fewer visits", "Lapsed"), former_kinds, strict=True)
    ]
    lineage = [
        {"segment_id": n, "segment_key": key, "previous_key": key, "verdict": "survived", "shift_deviations": shift}
        for n, shift in enumerate(shifts)
        for key in [f"S000{n + 1}"]
    ]

    kept = keep(now, lineage, former, most_shift=0.5)

    assert [row["kept_name"] for row in kept] == ["Old", None, None]
    assert [row["former_name"] for row in kept] == [None, "Fewer visits!", "Lapsed!"]
    assert {row["kept_color"] for row in kept} == {"#111111"}


def test_a_score_has_the_names_of_its_model_and_does_not_tell_again_that_one_changed() -> None:
    trained = [{**row, "run_id": "march", "former_name": "Occasional"} for row in segments("Lapsed")]
    counted = [
        {"segment_id": 0, "customers": 7, "customer_share": 1.0, "revenue": None, "revenue_share": None, "sets_apart": "late"}
    ]

    (carried,) = carry_segments(trained, counted)

    assert "run_id" not in carried
    assert (carried["rule_name"], carried["former_name"]) == ("Lapsed", None)
    assert (carried["customers"], carried["sets_apart"]) == (7, "late")
