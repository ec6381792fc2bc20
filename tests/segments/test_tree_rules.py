"""Rules: a tree's text is read back into conditions that say what they test."""

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.segments.tree_rules import Question, choose_depth, learn_rules, read_leaves

TREE = """DecisionTreeClassificationModel: uid=x, depth=3, numNodes=9, numClasses=3, numFeatures=3
  If (feature 0 <= 41.5)
   If (feature 1 in {0.0,2.0})
    Predict: 0.0
   Else (feature 1 not in {0.0,2.0})
    If (feature 0 <= 7.25)
     Predict: 2.0
    Else (feature 0 > 7.25)
     Predict: 1.0
  Else (feature 0 > 41.5)
   Predict: 2.0
"""


def test_every_leaf_is_read_with_the_way_to_it() -> None:
    leaves = read_leaves(TREE)

    assert [segment for _, segment in leaves] == [0, 2, 1, 2]
    assert [(dict(path.above), dict(path.upto)) for path, _ in leaves] == [
        ({}, {0: 41.5}),
        ({}, {0: 7.25}),
        ({0: 7.25}, {0: 41.5}),
        ({0: 41.5}, {}),
    ]
    assert dict(leaves[0][0].among) == {1: frozenset({0, 2})}
    assert dict(leaves[1][0].among) == {~1: frozenset({0, 2})}


@pytest.mark.parametrize(("segments", "depth"), [(1, 1), (2, 2), (4, 3), (5, 4), (8, 4), (9, 5), (40, 5)])
def test_the_tree_is_as_deep_as_the_segments_ask_for(segments: int, depth: int) -> None:
    assert choose_depth(segments) == depth


def test_numbers_categories_ordinals_and_missing_values_become_readable_conditions(spark: SparkSession) -> None:
    frame = pd.DataFrame(
        [
            *((f"a{n}", 0, n, "gold", "low") for n in range(40)),
            *((f"b{n}", 1, 1000 + n, "gold", "low") for n in range(40)),
            *((f"c{n}", 2, n, "it's </b>", "middle") for n in range(40)),
            *((f"d{n}", 3, None, None, "high") for n in range(40)),
        ],
        columns=["customer_id", "segment_id", "days", "plan", "age"],
    ).astype({"days": "Int64"})
    members = spark.createDataFrame(
        frame.astype(object).where(frame.notna(), None), "customer_id string, segment_id int, days int, plan string, age string"
    ).coalesce(1)
    days = Question("days_away", "days away", "number", is_whole=True, unknown=-1100.0, lowest=0.0)
    plan = Question("plan", "plan", "category", levels=("(missing)", "gold", "it's </b>"))
    age = Question("age", "age", "ordinal", levels=("low", "middle", "high"), unknown=0.0)
    members = members.withColumnRenamed("days", "days_away")
    sizes = dict.fromkeys(range(4), 40)

    by_days = learn_rules(members.where("segment_id < 2"), [days], sizes={0: 40, 1: 40}, missing="(missing)")
    by_plan = learn_rules(members.where("segment_id != 1"), [plan], sizes=sizes, missing="(missing)")
    by_age = learn_rules(members.where("segment_id != 1"), [age], sizes=sizes, missing="(missing)")
    unknown = learn_rules(members.where("segment_id in (0, 3)"), [days], sizes=sizes, missing="(missing)")

    assert {rule.segment_id: rule.condition for rule in by_days} == {
        0: "days away at most 519 or unknown",
        1: "days away more than 519",
    }
    assert {rule.segment_id: rule.condition for rule in by_plan} == {
        0: "plan is gold",
        2: "plan is it's </b>",
        3: "plan is (missing)",
    }
    assert {rule.segment_id: rule.condition for rule in by_age} == {0: "age is low", 2: "age is middle", 3: "age is high"}
    assert {rule.segment_id: rule.condition for rule in unknown} == {3: "days away unknown", 0: "days away known"}
    for rules in (by_plan, by_age):
        for rule in rules:
            caught = members.where("segment_id != 1").where(rule.holds)
            assert caught.count() == caught.where(f"segment_id = {rule.segment_id}").count() == 40
    assert members.where(unknown[0].holds).count() == 40
