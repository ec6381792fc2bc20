"""The features that orders give, one record each, and how any feature is spoken of.

One more feature is one more record here: the table ``features``, the configuration, profiles, traits, names, rules, advice and
the report read it. An attribute of the customers source has no record; its name says how it is spoken of.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segmentation.spelling import number, percent

Role = Literal["revenue", "recency", "frequency", "tenure", "pace"]


@dataclass(frozen=True)
class Words:
    """How a number is spoken of: when it is low, when it is high, and against a sibling segment."""

    low: str
    high: str
    lower: str
    higher: str


@dataclass(frozen=True)
class LevelRule:
    """How the median of a feature becomes a level: by its position in the population, if it differs enough.

    A median in the lowest third of the customers, and at most ``low`` times the population's median, is the first
    level; in the highest third and at least ``high`` times, the last; else the middle one. Position alone would call
    segments different that hardly are; the ratio alone would not see that a population is narrow.

    ``is_falling``: less is better, so that the levels run the other way. ``patience``: a quantile of the pace: only a
    median beyond it counts as high; so who buys once in a while is not yet gone. The quantile is the population's: were it
    the segment's own, buying more often could look like being longer absent.
    """

    dimension: str
    levels: tuple[str, str, str] = ("low", "middle", "high")
    low: float = 1 / 1.2
    high: float = 1.2
    is_falling: bool = False
    patience: float | None = None


@dataclass(frozen=True)
class Feature:
    """A feature that orders give.

    Attributes
    ----------
    name : column, with its unit where it has one
    type : SQL type of the column
    meaning : what it is and its unit, for whoever reads the table
    expression : SQL over what ``features.orders`` sums up per customer, and ``as_of``
    label : what people call it
    words : how it is spoken of when it is low or high
    is_share : a part of a whole, 0 to 1, shown as a percentage; its mean says more than its median, which is often 0
    is_whole : only whole numbers make sense of it
    level : how it takes part in naming, None where it does not
    role : what it stands for, where something looks for that and not for the feature
    without_orders : its value for a customer without orders, None where nothing can be said
    """

    name: str
    type: Literal["int", "bigint", "double", "decimal(28,6)"]
    meaning: str
    expression: str
    label: str
    words: Words
    is_share: bool = False
    is_whole: bool = False
    level: LevelRule | None = None
    role: Role | None = None
    without_orders: int | None = None


# Nine in ten of the customers who came back usually do so within this quantile of the pace.
PATIENCE = 0.9
FEATURES = (
    Feature(
        "recency_days",
        "int",
        "days from the last order to as_of",
        "datediff(as_of, last_day)",
        "Days since last order",
        Words("recently active", "long absent", "more recent", "longer absent"),
        is_whole=True,
        level=LevelRule("recency", ("long_ago", "middle", "recent"), is_falling=True, patience=PATIENCE),
        role="recency",
    ),
    Feature(
        "frequency_orders",
        "bigint",
        "orders, count",
        "orders",
        "Orders",
        Words("few orders", "frequent orders", "fewer orders", "more orders"),
        is_whole=True,
        level=LevelRule("frequency"),
        role="frequency",
        without_orders=0,
    ),
    Feature(
        "monetary_total",
        "decimal(28,6)",
        "sum of amounts, account currency",
        "amount",
        "Total spend",
        Words("low spend", "high spend", "lower spend", "higher spend"),
        level=LevelRule("monetary"),
        role="revenue",
        without_orders=0,
    ),
    Feature(
        "tenure_days",
        "int",
        "days from the first order to as_of",
        "datediff(as_of, first_day)",
        "Days since first order",
        Words("new", "long-standing", "newer", "longer-standing"),
        is_whole=True,
        level=LevelRule("tenure", ("short", "middle", "long"), low=0.5),
        role="tenure",
    ),
    Feature(
        "average_order_value",
        "double",
        "amount per order, account currency",
        "try_divide(double(amount), orders)",
        "Spend per order",
        Words("small orders", "large orders", "smaller orders", "larger orders"),
        level=LevelRule("basket"),
    ),
    Feature(
        "days_between_orders",
        "double",
        "mean days between an order and the next; null with a single order",
        "try_divide(datediff(last_day, first_day), if(orders > 1, orders - 1, null))",
        "Days between orders",
        Words("quick to return", "slow to return", "quicker to return", "slower to return"),
        role="pace",
    ),
    Feature(
        "items_per_order",
        "double",
        "items per order, count",
        "try_divide(double(items), orders)",
        "Items per order",
        Words("few items per order", "many items per order", "fewer items per order", "more items per order"),
    ),
    Feature(
        "return_rate",
        "double",
        "returned lines / all lines, 0 to 1",
        "return_lines / lines",
        "Lines returned",
        Words("few returns", "many returns", "fewer returns", "more returns"),
        is_share=True,
    ),
    Feature(
        "discount_share",
        "double",
        "discount / (amount + discount) of purchases, 0 to 1",
        "try_divide(double(discount), double(paid + discount))",
        "Discount share",
        Words("little discount", "much discount", "less discount", "more discount"),
        is_share=True,
        level=LevelRule("discount"),
    ),
)
BY_NAME: Mapping[str, Feature] = {one.name: one for one in FEATURES}
NAMES: Mapping[Role, str] = {one.role: one.name for one in FEATURES if one.role is not None}
# Names and advice look at these wherever there are orders, whatever ``features.use`` shows.
ORDER_DIMENSIONS = (*(one.name for one in FEATURES if one.level is not None), NAMES["pace"])
SHARE_PREFIX = "category_share_"
MISSING_LEVEL = "(missing)"  # the level of a category without a value
# Attributes that have words of their own; the name of any other becomes low, high, short or long.
_ATTRIBUTE_WORDS = {"age": Words("young", "old", "younger", "older")}
_UNITS = ("_days", "_weeks", "_months", "_years", "_hours", "_minutes")
_ATTRIBUTE_SHARES = re.compile(r"(^|_)(share|rate)(_|$)")


def is_share(feature: str) -> bool:
    """Return whether a feature is a part of a whole, shown as a percentage; a level is a share of customers."""
    if "=" in feature or feature.startswith(SHARE_PREFIX):
        return True
    return BY_NAME[feature].is_share if feature in BY_NAME else _ATTRIBUTE_SHARES.search(feature) is not None


def is_whole(feature: str) -> bool:
    """Return whether only whole numbers make sense of a feature."""
    return feature in BY_NAME and BY_NAME[feature].is_whole


def spell(feature: str, value: float | None) -> str:
    """Return a value of a feature in its own unit."""
    return percent(value) if is_share(feature) else number(value)


def spell_category(feature: str, categories: Mapping[str, str]) -> str:
    """Return the category of a share: as its column spells it, or, where that is not to be read, as the source does."""
    spelled = feature.removeprefix(SHARE_PREFIX)
    category = categories.get(feature, spelled)
    return spelled.replace("_", " ") if slug_of(category) == spelled else category


def label(feature: str, categories: Mapping[str, str]) -> str:
    """Return what people call a feature, or a level of one.

    Parameters
    ----------
    feature : column, or column=level
    categories : the category of each share that the run computed, by column
    """
    subject, separator, level = feature.partition("=")
    if subject in BY_NAME:
        text = BY_NAME[subject].label
    elif subject.startswith(SHARE_PREFIX):
        text = f"Spent on {spell_category(subject, categories)}"
    else:
        text = _capital(subject.replace("_", " "))
    if not separator:
        return text
    return f"{text}: {'not known' if level == MISSING_LEVEL else level}"


def words_of(feature: str, categories: Mapping[str, str]) -> Words:
    """Return how a number is spoken of."""
    if feature in BY_NAME:
        return BY_NAME[feature].words
    if feature in _ATTRIBUTE_WORDS:
        return _ATTRIBUTE_WORDS[feature]
    unit = next((unit for unit in _UNITS if feature.endswith(unit)), None)
    if unit is not None:
        name = feature.removesuffix(unit).replace("_", " ")
        return Words(f"short {name}", f"long {name}", f"shorter {name}", f"longer {name}")
    name = feature.replace("_", " ")
    if feature.startswith(SHARE_PREFIX):
        name = f"share of {spell_category(feature, categories)}"
    return Words(f"low {name}", f"high {name}", f"lower {name}", f"higher {name}")


def slug_of(category: str) -> str:
    """Return a category in lower case, what is no ASCII letter or digit as _."""
    return re.sub(r"[^a-z0-9]+", "_", category.lower()).strip("_")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
