"""Profiles of the columns in, which of them is what out: by their names, and by what their values can be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segmentation.errors import SourceError
from segmentation.init.columns import Profile
from segmentation.init.sample import Sample

_ID = re.compile(r"(?:\b|(?<=[a-z]{4}))(?:ids?|no|nr|num|number|nummer|codes?|key|ref|uuid|guid)$")
_MARKS = re.compile(r"\b(?:name|type|segment|group|country|city|state|region|zip|phone|status|desc\w*|since|age|count|gender)\b")


def words_of(name: str) -> str:
    """Return a column's name in lower-case words: CustomerID is customer id."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", parted.lower()))


def _is_money(one: Profile) -> bool:
    return one.kind == "number" and one.distinct > 1


def _is_category(one: Profile) -> bool:
    return one.kind == "text" and 2 <= one.distinct <= 200


def _is_order(one: Profile) -> bool:
    return one.is_key and (one.distinct >= 20 or one.distinct >= 0.05 * one.filled)


def _is_discount(one: Profile) -> bool:
    """Say whether it can be money taken off: a share of the price is none."""
    return _is_money(one) and one.share(one.values < 0) < 0.01 and float(one.values.max()) > 1


@dataclass(frozen=True)
class Trait:
    """What a column is called and holds that plays a part.

    Attributes
    ----------
    words : of its name, the most telling first
    unlike : words of other columns
    fits : whether its values can be so
    is_id : a name that ends as ids do tells more
    """

    words: tuple[str, ...]
    fits: Callable[[Profile], bool]
    unlike: str = "(?!)"
    is_id: bool = False

    def score(self, one: Profile) -> int:
        """Return how much speaks for a column, 0 where it cannot be."""
        name = words_of(one.name)
        place = next((place for place, word in enumerate(self.words) if re.search(word, name)), None)
        if place is None or re.search(self.unlike, name) or not self.fits(one):
            return 0
        bonus = len(self.words) if self.is_id and _ID.search(name) else 0
        if self.is_id and not bonus and _MARKS.search(name):
            return 0
        return len(self.words) - place + bonus


TRAITS: Mapping[str, Trait] = {
    "ordered_at": Trait(
        (
            r"\b(?:order|purchase|invoice|transaction|sale|bought|kauf|bestell|rechnung|beleg|pedido|commande)",
            r"timestamp|datetime",
            r"\b(?:date|day|datum|tag|fecha|jour|data)\b|date$|datum$",
            r"time|zeit|\bat\b|created|when",
        ),
        lambda one: one.kind == "date",
        r"ship|deliver|due|birth|return|update|modif|refund|expir|liefer|geburt",
    ),
    "customer_id": Trait(
        (
            r"\b(?:customer|cust|client|kunde|cliente|mitglied|member|household|shopper|patron)",
            r"\b(?:user|buyer|account|person|subscriber|guest|consumer|contact|konto|kd)",
            r"\bcard|\bkarte|e ?mail",
        ),
        lambda one: one.is_key,
        is_id=True,
    ),
    "order_id": Trait(
        (
            r"\b(?:order|invoice|basket|receipt|bestell|rechnung|beleg|auftrag|pedido|factur|commande)",
            r"\b(?:transaction|ticket|purchase|bon\b|bill\b|cart\b|sales?\b|trans\b|txn)",
        ),
        _is_order,
        r"\bline\b|\bitem\b|position|\borders\b|\bcount\b",
        is_id=True,
    ),
    "product_id": Trait(
        (
            r"\b(?:product|produkt|artikel|article|articulo|producto|produit|sku|stock|upc|ean|asin|isbn|plu)",
            r"\b(?:item|material|prod)\b",
        ),
        lambda one: one.is_key,
        r"categor|kategor|depart|price|quantity|\btype\b",
        is_id=True,
    ),
    "quantity": Trait(
        (r"quantit|\bqty|menge|anzahl|st(?:ü|ue)ck|cantidad", r"\bunits?\b|\bpieces\b|\bpcs\b|\bitems\b|\bcount\b"),
        _is_money,
        r"price|preis|cost|amount|value|disc",
    ),
    "unit_price": Trait(
        (r"(?:unit|item|list|stück|stueck|einzel|retail) ?(?:price|preis|cost)", r"price|preis|precio|prix"),
        _is_money,
        r"total|line|sum|ext|gesamt|disc|shipping|freight",
    ),
    "amount": Trait(
        (
            r"(?:line|ext\w*|item) ?(?:total|amount|price|value)|gesamtpreis|total ?price",
            r"amount|betrag|umsatz|revenue|sales|importe|montant",
            r"spen[dt]\b|\bpaid\b|\bvalue\b|payment|turnover|\bwert\b",
            r"total|summe|\bnet\b|\bgross\b|price|preis",
        ),
        _is_money,
        r"tax|vat|mwst|ship|freight|cost|margin|balance|points|quantit|\bqty|disc|rabatt|coupon|unit|\bitems?\b$|refund|tip",
    ),
    "discount": Trait(
        (r"disc|rabatt|descuento|remise|nachlass", r"coupon|voucher|rebate|markdown|gutschein"),
        _is_discount,
        r"p(?:er)?ce?nt|\brate\b|percent|code|\bid\b|type|%",
    ),
    "category": Trait(
        (
            r"depart|\bdept|warengruppe|rayon|abteilung",
            r"categor|kategor|product ?(?:group|line|type|class)|gruppe|commodity|section|aisle",
            r"\b(?:group|class|family|type)\b",
        ),
        _is_category,
        r"customer|client|kunde|payment|order|member|ship|store|age",
    ),
}
_TRANSACTION_ROLES = tuple(TRAITS)


def find_column(role: str, profiles: Mapping[str, Profile], taken: set[str]) -> Profile | None:
    """Return the column that plays a role best, None where none can."""
    scored = [(TRAITS[role].score(one), one) for name, one in profiles.items() if name not in taken]
    best = max((score for score, _ in scored), default=0)
    return next((one for score, one in scored if score == best), None) if best else None


def find_transactions(profiles: Mapping[str, Profile]) -> dict[str, list[Profile]]:
    """Return the columns of purchase lines, by role; a discount may be several."""
    found: dict[str, list[Profile]] = {}
    taken: set[str] = set()
    for role in _TRANSACTION_ROLES:
        while (one := find_column(role, profiles, taken)) is not None:
            found.setdefault(role, []).append(one)
            taken.add(one.name)
            if role != "discount":
                break
    return _add_only_ones(found, profiles)


def _add_only_ones(found: dict[str, list[Profile]], profiles: Mapping[str, Profile]) -> dict[str, list[Profile]]:
    """Give a needed role that no name says to the one column left that can play it, if there is exactly one."""
    added = dict(found)
    needs: dict[str, Callable[[Profile], bool]] = {
        "ordered_at": lambda one: one.kind == "date",
        "amount": lambda one: _is_money(one) and not one.is_whole,
        "customer_id": lambda one: one.is_key and not one.is_unique,
    }
    for role, fits in needs.items():
        if role in added or (role == "amount" and "unit_price" in added):
            continue
        taken = {one.name for columns in added.values() for one in columns}
        left = [one for name, one in profiles.items() if name not in taken and fits(one)]
        if len(left) == 1 and (role != "customer_id" or {"ordered_at"} <= set(added)):
            added[role] = left
    return added


def tell_role(role: str, one: Profile) -> str:
    """Return in words why a column plays a role."""
    return "by its name" if TRAITS[role].score(one) else "the only column left that can be it"


def missing_of_transactions(found: Mapping[str, object]) -> list[str]:
    """Return the roles that purchase lines need and that no column plays."""
    missing = [role for role in ("customer_id", "ordered_at") if role not in found]
    return missing + ([] if {"amount", "unit_price"} & set(found) else ["amount"])


def find_products(profiles: Mapping[str, Profile]) -> dict[str, Profile]:
    """Return the key and the category of products, as far as there are any."""
    found = {}
    key = find_column("product_id", profiles, set())
    if key is not None and key.is_unique:
        found["product_id"] = key
        if (category := _find_category(profiles, key.name)) is not None:
            found["category"] = category
    return found


def _find_category(profiles: Mapping[str, Profile], key: str) -> Profile | None:
    """Return a category by its name, else the text with the fewest levels of those with several."""
    named = find_column("category", profiles, {key})
    if named is not None:
        return named
    levels = [one for name, one in profiles.items() if name != key and _is_category(one) and one.distinct < 0.5 * one.rows]
    return min(levels, key=lambda one: one.distinct, default=None)


def find_customer_key(profiles: Mapping[str, Profile], buyers: set[str]) -> Profile | None:
    """Return the key of a table of customers: unique, among the ids of buyers where there are any, else by its name.

    Parameters
    ----------
    buyers : ids of the transactions' sample, empty without transactions
    """
    unique = [one for one in profiles.values() if one.is_unique and one.is_key]
    if buyers:
        shared = [(len(buyers & set(one.keys.dropna())), one) for one in unique]
        most = max((count for count, _ in shared), default=0)
        if most:
            return next(one for count, one in shared if count == most)
    named = [(TRAITS["customer_id"].score(one), one) for one in unique]
    best = max((score for score, _ in named), default=0)
    if best:
        return next(one for score, one in named if score == best)
    first = next(iter(profiles), None)  # where a key stands, whatever it is called
    return next((one for one in unique if _ID.search(words_of(one.name)) or one.name == first), None)


def name_table(profiles: Mapping[str, Profile]) -> str | None:
    """Return which of the sources a table is, None where its columns fit none."""
    found = find_transactions(profiles)
    named = find_column("customer_id", profiles, set())
    # A row per customer may tell of orders and items too, but holds the id of none.
    has_lines = any(_ID.search(words_of(one.name)) for role in ("order_id", "product_id") for one in found.get(role, ()))
    is_unique = named is not None and named.is_unique
    if not missing_of_transactions(found) and (has_lines or not is_unique):
        return "transactions"
    if named is None and "ordered_at" not in found and len(find_products(profiles)) == 2:
        return "products"
    if find_customer_key(profiles, set()) is not None and not (named is not None and not is_unique):
        return "customers"
    return None


def refuse(sample: Sample, profiles: Mapping[str, Profile], *, what: str = "") -> SourceError:
    """Return the error that says which role no column of a table plays."""
    found = find_transactions(profiles)
    missing = missing_of_transactions(found)
    is_near = len(missing) < 3 and bool({"ordered_at", "amount", "unit_price", "order_id", "quantity"} & set(found))
    expected = what or (
        f"a column for {' and '.join(missing)} of transactions"
        if is_near and missing
        else "a column for customer_id of customers, with an id in each row"
    )
    return SourceError(sample.told, expected=expected, found=sample.columns)
