"""Tables with their roles in, the sections of a configuration out, each guess with what it rests on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from segmentation import catalogue
from segmentation.config.schema import TAKEN
from segmentation.config.write import Entry
from segmentation.errors import SourceError
from segmentation.init.attributes import PROTECTED, Attribute, describe_attributes, find_revenue, name_attribute, use_attributes
from segmentation.init.columns import Profile, is_nothing, tell_part
from segmentation.init.days import DayForm
from segmentation.init.guesses import Table, buyers_of, customer_key, product_columns
from segmentation.init.newest import count_dates, find_end, newest_of, settle_form
from segmentation.init.purchases import Purchases, describe_cleaning, describe_purchases, find_measured, summarise_customers
from segmentation.init.roles import find_transactions, tell_role
from segmentation.init.sample import count_days
from segmentation.init.shaping import shape_numbers
from segmentation.spelling import percent

_HEAD = (
    "Written by segmentation init. A comment says what in the data a guess rests on: check it against what you know. "
    "docs/options.md has every option."
)
_FEWEST, _MOST_K, _PER_SEGMENT = 4, 8, 10
_CATEGORY_SHARES = Entry(
    "category_shares",
    (Entry("top", 6, "categories with the largest amounts"), Entry("preparation", {"role": "describe"})),
)
_CLUSTERED = ("recency_days", "frequency_orders", "monetary_total")
_DESCRIBED = {
    "average_order_value": "moves with spend and orders",
    "items_per_order": "moves with spend per order",
    "tenure_days": "says little where all began when the data begin",
    "days_between_orders": "moves with orders",
}


def compose(tables: dict[str, Table]) -> list[Entry]:
    """Return the sections of the configuration.

    Raises
    ------
    SourceError
        If what a source needs is not there.
    """
    head: list[Entry] = [Entry("", comment=_HEAD)]
    sources: list[Entry] = []
    cleaning: list[Entry] = []
    features: list[Entry]
    if "transactions" in tables:
        table = tables["transactions"]
        purchases = describe_purchases(find_transactions(table.profiles))
        source, as_of = _transactions(table, purchases, with_category="products" not in tables)
        head.append(as_of)
        sources.append(source)
        cleaning.append(Entry("cleaning", tuple(Entry(*one) for one in describe_cleaning(purchases))))
        if "products" in tables:
            sources.append(_products(tables, purchases))
        described = _customers(tables, sources) if "customers" in tables else []
        features = _order_features(purchases, described, is_whole=table.sample.is_whole)
        if "products" in tables or "category" in purchases.columns:
            features.append(_CATEGORY_SHARES)
        customers, of = len(summarise_customers(purchases)), table.sample.rows
    else:
        described = use_attributes(_customers(tables, sources))
        if not any("role" not in one.use for one in described):
            raise _no_attribute(tables["customers"])
        head += _as_of_attributes(described)
        features = _attribute_features(described)
        customers, of = len(tables["customers"].sample.frame), tables["customers"].sample.rows
    warehouse = Entry("warehouse", (Entry("path", f"warehouse/{name_warehouse(tables)}", "named after the data"),))
    return [
        *head,
        warehouse,
        Entry("sources", tuple(sources)),
        *cleaning,
        Entry("features", tuple(features)),
        _clustering(customers, of),
    ]


def name_warehouse(tables: Mapping[str, Table]) -> str:
    """Return the first word of the name of the main table's file or folder."""
    sample = next(iter(tables[name] for name in ("transactions", "customers") if name in tables)).sample
    one = sample.path if isinstance(sample.path, str) and "*" not in sample.path else str(sample.files[0].parent)
    stem = re.split(r"[\\/]", one.rstrip("/"))[-1].partition(".")[0]
    return name_attribute(stem or "customers", ())


def _source(table: Table, *, spans_lines: bool) -> list[Entry]:
    """Return how a table is to be read."""
    sample, dialect = table.sample, table.sample.shape.dialect
    width = len(sample.shape.names)
    said = {
        "csv": f"the first lines part into {width} columns",
        "json": f"an object in each line, {width} keys",
        "parquet": f"its first bytes say so; {width} columns",
    }[sample.shape.format]
    entries = [Entry("format", sample.shape.format, said), Entry("path", sample.path, f"{sample.rows} were looked at")]
    if sample.shape.format == "csv":
        entries.append(Entry("delimiter", dialect.delimiter, "parts the first lines into equally many columns"))
        if not dialect.has_names:
            entries.append(Entry("header", list(sample.shape.names), "the first line is no line of names; give better ones"))
    if sample.shape.format != "parquet" and dialect.encoding != "UTF-8":
        entries.append(Entry("encoding", dialect.encoding, "there are letters that are not UTF-8"))
    if spans_lines:
        entries.append(Entry("multiline", True, "there is a record that spans lines"))
    if table.decimal_comma:
        entries.append(Entry("decimal_comma", True, "there are numbers as 1,5 that a point does not explain"))
    return entries


def _transactions(table: Table, purchases: Purchases, *, with_category: bool) -> tuple[Entry, Entry]:
    ordered_at = purchases.columns["ordered_at"][0]
    counts = count_days(table.sample, ordered_at.name, ordered_at.form)
    form = ordered_at.form and settle_form(ordered_at.form, counts, prefers_day_first=table.prefers_day_first)
    rows = f"all {counts.rows:,} rows" if counts.is_whole else f"the first {counts.rows:,} rows"
    days = count_dates(counts, form)
    end, said = find_end(days, has_offset=bool(form and form.has_offset), rows=rows)
    columns = []
    for role, several in purchases.columns.items():
        if role == "category" and not with_category:
            continue
        if role == "ordered_at":
            told = f"{tell_role(role, ordered_at)}; {_tell_dates(form, sum(days.values()), counts.rows)}"
            columns.append(Entry(role, _date_value(ordered_at, form), told))
        elif role == "discount":
            columns.append(_discount(several))
        else:
            one, note = several[0], purchases.notes.get(role, "")
            told = _tell_key(one) if role.endswith("_id") else _tell(one)
            columns.append(Entry(role, _column_value(one), "; ".join(filter(None, (tell_role(role, one), told, note)))))
    entries = _source(table, spans_lines=counts.spans_lines)
    source = Entry("transactions", (*entries, Entry("columns", tuple(columns))))
    return source, Entry("as_of", end, f"first day not seen: {said}")


def _tell_dates(form: DayForm | None, read: int, rows: int) -> str:
    if form is None:
        return f"{tell_part(read, rows, 'rows')} have a date"
    told = f"{tell_part(read, rows, 'rows')} are dates of the form {form.pattern}"
    if form.is_iso:
        return f"{told}, which needs no pattern"
    return f"{told}; look here: day and month could change places" if form.is_open else told


def _tell(one: Profile) -> str:
    return one.told() + (f", {percent(one.missing)} empty" if one.missing > 0 else "")


def _tell_key(one: Profile) -> str:
    told = f"{one.distinct:,} different in {one.filled:,} rows"
    told += f", {percent(one.missing)} empty" if one.missing > 0 else ""
    return told + (", written as 17850.0" if one.ends_in_zero else "")


def _discount(several: Sequence[Profile]) -> Entry:
    names = [one.name for one in several]
    said = "; ".join(f"{one.name} is above 0 in {percent(one.share(one.values > 0))} of the rows" for one in several)
    return Entry(
        "discount", names if len(names) > 1 else _column_value(several[0]), said + (", added up" if len(names) > 1 else "")
    )


def _column_value(one: Profile) -> Any:
    """Return a column, with what is to be cut from its text."""
    remove = one.remove
    if one.ends_in_zero and one.is_whole:
        remove = r"\.0$"
    elif remove is None and one.is_text and (nothing := is_nothing(one)):
        remove = f"^{re.escape(nothing)}$"
    return {"from": one.name, "remove": remove} if remove else one.name


def _date_value(one: Profile, form: DayForm | None) -> Any:
    return one.name if form is None or form.is_iso else {"from": one.name, "format": form.pattern}


def _products(tables: dict[str, Table], purchases: Purchases) -> Entry:
    table, found = tables["products"], product_columns(tables)
    known = set(found["product_id"].keys.dropna())
    sold = purchases.columns["product_id"][0].keys.dropna()
    told = f"{_tell_key(found['product_id'])}; {percent(float(sold.isin(known).mean()))} of the purchases looked at are of these"
    columns = (
        Entry("product_id", _column_value(found["product_id"]), told),
        Entry("category", _column_value(found["category"]), _tell(found["category"])),
    )
    return Entry("products", (*_source(table, spans_lines=table.sample.spans_lines), Entry("columns", columns)))


def _customers(tables: dict[str, Table], sources: list[Entry]) -> list[Attribute]:
    """Append the source of customers to ``sources``; return its attributes."""
    table, key = tables["customers"], customer_key(tables)
    taken = {*TAKEN, *catalogue.BY_NAME}
    attributes = describe_attributes(table.profiles, key=key.name, is_whole=table.sample.is_whole, taken=taken)
    used = [one for one in attributes if one.type]
    if not used:
        raise _no_attribute(table)
    said = _tell_key(key)
    if buyers := buyers_of(tables):
        said += f"; {percent(len(buyers & set(key.keys.dropna())) / len(buyers))} of the buyers looked at are among them"
    entries = _source(table, spans_lines=table.sample.spans_lines)
    lines = [Entry(one.name, {"from": one.column.name, "type": one.type, **one.details}, one.said) for one in used]
    left = [Entry("", comment=f"left out: {one.column.name} ({one.said})") for one in attributes if not one.type]
    entries += [Entry("customer_id", _column_value(key), said), Entry("attributes", (*lines, *left))]
    sources.append(Entry("customers", tuple(entries)))
    return used


def _no_attribute(table: Table) -> SourceError:
    return SourceError(table.sample.told, expected="an attribute that groups customers", found=table.sample.columns)


def _order_features(purchases: Purchases, described: Sequence[Attribute], *, is_whole: bool) -> list[Entry]:
    seen = summarise_customers(purchases)
    use = []
    for name in _CLUSTERED:
        options, told = shape_numbers(seen[name])
        said = f"{told} among {len(seen):,} customers looked at" if told else "one of the three of RFM"
        if name == "recency_days" and not is_whole:
            options, said = {"log": True}, "skewed as a rule; the rows looked at are too few to show it"
        use.append(Entry(name, options, said))
    if "discount" in purchases.columns:
        use.append(
            Entry("discount_share", {"cap": 0.99}, f"there are discounts; mean {percent(float(seen['discount_share'].mean()))}")
        )
    for name, said in _DESCRIBED.items():
        if name != "items_per_order" or "quantity" in purchases.columns:
            use.append(Entry(name, {"role": "describe"}, said))
    empty = "attributes are shown and not clustered on, so that segments are of behaviour; role: cluster does"
    for one in (one for one in described if one.is_protected):
        use.append(Entry(one.name, {"role": "audit"}, PROTECTED))
    for place, one in enumerate(one for one in described if not one.is_protected):
        use.append(Entry(one.name, {"role": "describe"}, empty if place == 0 else ""))
    entries = []
    if (measured := find_measured(purchases)) is not None:
        entries.append(Entry("max_quantity", *measured))
    return [*entries, Entry("use", tuple(use))]


def _attribute_features(described: Sequence[Attribute]) -> list[Entry]:
    use = Entry("use", tuple(Entry(one.name, dict(one.use), one.use_said) for one in described))
    revenue = find_revenue(described)
    if revenue is None:
        return [use]
    said = f"{revenue.column.name} sounds like what a customer spent"
    return [Entry("revenue", revenue.name, said), use]


def _as_of_attributes(described: Sequence[Attribute]) -> list[Entry]:
    newest = newest_of([one.column for one in described])
    return [] if newest is None else [Entry("as_of", newest[0], f"first day not seen: {newest[1]}")]


def _clustering(customers: int, of: str) -> Entry:
    if customers < _FEWEST:
        raise SourceError("DATA", expected=f"at least {_FEWEST} customers", found=f"{customers} in {of}")
    most = max(2, min(_MOST_K, customers // _PER_SEGMENT))
    entries = [
        Entry("k_min", 2),
        Entry("k_max", most, f"{customers:,} customers in {of}"),
        Entry("min_share", 0.03, "a smaller segment is hardly worth a plan of its own"),
    ]
    if most > 2:
        entries.append(Entry("max_share", 0.5, "a segment of more than half of the customers is no target group"))
    return Entry("clustering", tuple(entries))
