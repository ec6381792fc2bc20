"""The configuration: every section frozen and strict, every field with its bounds and what it means."""

import hashlib
import json
import re
import unicodedata
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from segmentation import catalogue
from segmentation.config.sources import Name, Pattern, Place, Section, Sources


def _check_label(text: str) -> str:
    if not text.strip() or any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError("a text of one line that is not blank is expected")
    return text.strip()


Label = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_label)]
# What tables and models call their own; a source's column may be called so, an attribute made from it may not.
TAKEN = ("run_id", "customer_id", "as_of", "features", "prediction", "segment_id", "customers", "rank", "k", "share")
SegmentNumber = Annotated[int, Field(ge=0, lt=100)] | Annotated[str, Field(pattern=r"^S[0-9]{4,9}$")]


class Warehouse(Section):
    """Where the tables lie."""

    path: Place | None = Field(None, description="folder or URI; each table is <path>/<table>")
    catalog_schema: str | None = Field(None, alias="schema", description="catalog schema, as catalog.schema")
    models: Place | None = Field(None, description="folder or URI of models; <path>/models by default")
    keep_runs: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="published runs to keep; older ones but the champion's are dropped after a publication",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Warehouse":
        if (self.path is None) == (self.catalog_schema is None):
            raise ValueError("path or schema, and not both, is expected")
        if self.catalog_schema is not None:
            if not re.fullmatch(r"\w+\.\w+", self.catalog_schema):
                raise ValueError("schema is written catalog.schema")
            if self.models is None:
                raise ValueError("models is expected beside schema")
        return self


class Cleaning(Section):
    """Which rows are set aside."""

    returns: Literal["net", "exclude"] = Field("net", description="keep returns as negative amounts, or set them aside")
    return_order_pattern: Pattern | None = Field(None, description="order ids that are cancellations")
    non_product_pattern: Pattern | None = Field(None, description="product ids that are no products, set aside")
    non_positive_prices: Literal["keep", "set_aside"] = Field("set_aside", description="lines with a unit price of 0 or less")
    exact_duplicates: Literal["keep", "set_aside", "across_files"] = Field(
        "keep", description="copies of an equal row: kept, set aside, or set aside where another file has the row already"
    )
    max_set_aside_share: float = Field(0.9, ge=0, le=1, description="share of a source's rows set aside above which a run fails")
    max_unreadable_share: float = Field(
        0.2, ge=0, le=1, description="share of a source's rows that are not as declared above which a run fails"
    )


# What becomes of a row by itself: a rule of the same name could not be told from it.
_OUTCOMES = re.compile(
    "kept|objection|(?:unreadable|undeclared_level|missing|duplicate)_.*|repeated_header|on_or_after_as_of|non_product|return|"
    "non_positive_price|exact_duplicate|in_another_file|customer_without_purchase|no_orders"
)


class Rule(Section):
    """A condition that good rows of a source fulfil; one that is null is not fulfilled."""

    name: Name = Field(description="its name among the reasons")
    source: Literal["transactions", "products", "customers"] = Field(description="whose rows it judges")
    expression: str = Field(min_length=1, max_length=2000, description="Spark SQL over the declared columns, as amount < 10000")
    action: Literal["warn", "quarantine", "fail"] = Field(
        "warn", description="count the rows that do not fulfil it, set them aside as well, or stop"
    )
    max_share: float = Field(1.0, ge=0, le=1, description="warn, quarantine: share of such rows above which the run fails")


class FeatureSpec(Section):
    """How one feature enters the clustering."""

    role: Literal["cluster", "describe", "audit"] = Field(
        "cluster", description="cluster on it, only show it in profiles, or only count who is in each segment (representation)"
    )
    log: bool = Field(False, description="sign(x) log(1 + |x|) against skew")
    cap: float | None = Field(
        None, gt=0.5, lt=1, description="values beyond this quantile (and its mirror) count as the quantile"
    )
    weight: float = Field(1.0, gt=0, le=10, description="weight against the other features")


class CategoryShares(Section):
    """Shares of a customer's spend by product category, one feature per category."""

    top: int | None = Field(None, ge=1, le=50, description="take the categories with the largest amounts")
    categories: list[str] | None = Field(None, min_length=1, description="take these categories")
    preparation: FeatureSpec = Field(FeatureSpec.model_validate({}), description="the same for every share")

    @model_validator(mode="after")
    def _one_way(self) -> "CategoryShares":
        if (self.top is None) == (self.categories is None):
            raise ValueError("top or categories, and not both, is expected")
        return self


class Features(Section):
    """Which features there are, and how each is used."""

    use: dict[Name, FeatureSpec] = Field(min_length=1, description="features switched on, by name")
    category_shares: CategoryShares | None = None
    customers_without_orders: Literal["exclude", "include"] = Field(
        "exclude", description="set aside, or kept with 0 orders, 0 spend and other order features missing"
    )
    max_quantity: float | None = Field(
        None, gt=0, description="a line with more is a measured good (fuel, cloth) and counts as one item"
    )
    revenue: Name | None = Field(None, description="feature that is revenue; monetary_total with transactions")


class Preparation(Section):
    """How features become a vector."""

    scaler: Literal["standard", "robust", "minmax", "none"] = Field(
        "standard", description="StandardScaler, RobustScaler, MinMaxScaler, or the numbers as they are"
    )
    pca_components: int | None = Field(None, ge=1, le=100, description="cluster on so many principal components")


class Clustering(Section):
    """How the customers are grouped, and how K is chosen."""

    algorithm: Literal["kmeans", "bisecting_kmeans", "gaussian_mixture"] = Field(
        "kmeans", description="Spark MLlib's algorithm; the two others fill the same tables, at MLlib's pace"
    )
    k_min: int = Field(2, ge=2, le=100, description="smallest K tried")
    k_max: int = Field(8, ge=2, le=100, description="largest K tried")
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(
        default=[1, 2, 3], min_length=1, max_length=50, description="three starts per seed; the cheapest of each K is kept"
    )
    solver: Literal["auto", "mllib", "fused"] = Field(
        "auto", description="Spark MLlib's k-means, or every K in one pass; auto takes the latter"
    )
    max_iterations: int = Field(100, ge=1, le=10_000, description="Lloyd iterations of a restart, count")
    tolerance: float = Field(1e-4, gt=0, lt=1, description="mllib: a fit ends when no centre moves farther, scaled units")
    min_gain: float = Field(1e-5, ge=0, lt=1, description="fused: a K ends when an iteration would save a smaller share of WSSSE")
    silhouette: Literal["exact", "sampled"] = Field(
        "exact", description="fused: of all customers, or of 100,000 with an error bound"
    )
    min_share: float = Field(0.01, ge=0, lt=1, description="smallest share of customers that a segment may hold")
    max_share: float = Field(0.8, gt=0, le=1, description="largest share of customers that a segment may hold")
    min_stability: float = Field(0.6, ge=0, le=1, description="smallest Jaccard of a segment over refits (Hennig 2007)")
    min_null_gain: float = Field(0.05, ge=0, lt=1, description="share of WSSSE that must be less than on permuted columns")
    resamples: int = Field(20, ge=2, le=1000, description="refits on resampled customers, count")
    null_tables: int = Field(5, ge=1, le=1000, description="tables without groups: two in five permuted, the rest one crowd")
    rule: Literal["groups", "balanced", "silhouette", "elbow", "davies_bouldin", "calinski_harabasz", "stability"] = Field(
        "groups", description="how K is chosen among those that pass every gate"
    )
    no_structure: Literal["warn", "fail", "single"] = Field(
        "warn", description="when there is no structure: publish and say so, stop, or publish one segment"
    )
    no_structure_from: Literal["none", "continuum"] = Field(
        "none", description="what no structure is: noise alone, or a continuum without groups as well"
    )
    partitions: int | None = Field(None, ge=1, le=100_000, description="canonical layout; by the number of customers by default")
    driver_mb: int = Field(
        256,
        ge=0,
        le=65_536,
        description="MiB of prepared numbers, and of a score's features, that the driver works on alone; "
        "the executors take a larger table",
    )

    @property
    def driver_bytes(self) -> int:
        """``driver_mb`` in bytes."""
        return self.driver_mb * 2**20

    @model_validator(mode="after")
    def _range(self) -> "Clustering":
        if self.k_max < self.k_min:
            raise ValueError(f"k_max of at least k_min is expected: {self.k_max} < {self.k_min}")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds are expected once each")
        return self


class Segments(Section):
    """How segments are shown and advised on; nothing here changes who is in which."""

    names: dict[SegmentNumber, Label] = Field(
        {}, description="names by segment_key (S0001), or by segment_id of this run, in place of those the rules give"
    )
    colors: dict[SegmentNumber, Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]] = Field(
        {}, description="colours by segment_key or by segment_id, #rrggbb, in place of the palette's"
    )
    exemplars: Literal["pseudonyms", "ids", "off"] = Field(
        "pseudonyms", description="example customers under a keyed pseudonym, under their ids, or none"
    )
    baseline_days: int | None = Field(
        None, ge=1, le=3650, description="an order in so many last days counts for the baseline rate; the usual gap by default"
    )
    lift: float = Field(0.1, gt=0, le=1, description="relative lift that a hold-out shall be able to show, 0.1 is a tenth")

    @model_validator(mode="after")
    def _names_differ(self) -> "Segments":
        doubles = sorted({name for name in self.names.values() if list(self.names.values()).count(name) > 1})
        if doubles:
            raise ValueError(f"each name once is expected, {', '.join(doubles)} is there twice")
        return self


class Privacy(Section):
    """What is kept about persons."""

    raw_records: Literal["keep", "off"] = Field("keep", description="rows set aside as they were read, in quarantine, or not")
    raw_records_days: int | None = Field(
        None, ge=0, le=36_500, description="days after which a run's records leave quarantine and its history; never by default"
    )
    min_cell: int = Field(
        10, ge=0, le=1000, description="smallest group of customers that tables and pages tell of; 1 or 0 shows every one"
    )


class Identity(Section):
    """When a segment is the one of the run before (MONIC, Spiliopoulou et al. 2006)."""

    survive: float = Field(0.7, gt=0.5, le=1, description="share of a former segment's customers that must be in one segment")
    part: float = Field(0.3, gt=0, le=0.5, description="share in one of several segments that together reach survive: a split")
    carry: float = Field(0.5, gt=0, le=1, description="share of a segment's customers that must come from the former one")


class Config(Section):
    """Everything that says what a run does; see ``conf/`` for complete examples."""

    warehouse: Warehouse
    sources: Sources
    cleaning: Cleaning = Cleaning.model_validate({})
    features: Features
    preparation: Preparation = Preparation.model_validate({})
    clustering: Clustering = Clustering.model_validate({})
    segments: Segments = Segments.model_validate({})
    identity: Identity = Identity.model_validate({})
    privacy: Privacy = Privacy.model_validate({})
    rules: list[Rule] = Field([], max_length=100, description="conditions of your own that good rows fulfil")
    as_of: Annotated[date, Field(ge=date(1900, 1, 1), lt=date(2200, 1, 1))] | None = Field(
        None, description="first day not seen; needed with transactions, and with attributes that are dates"
    )
    k: int | None = Field(None, ge=2, le=100, description="take this K whatever the grid says")

    @model_validator(mode="after")
    def _features_exist(self) -> "Config":
        declared = self.sources.customers.attributes if self.sources.customers else {}
        attributes = set(declared)
        clash = sorted(attributes & {*catalogue.BY_NAME, *TAKEN} | {name for name in attributes if "__" in name})
        clash += sorted(name for name in attributes if name.startswith(catalogue.SHARE_PREFIX))
        if clash:
            raise ValueError(f"sources.customers.attributes: other names than {', '.join(clash)} are expected")
        known = attributes | (set(catalogue.BY_NAME) if self.sources.transactions else set())
        wanted = set(self.features.use) | ({self.features.revenue} if self.features.revenue else set())
        unknown = sorted(wanted - known)
        if unknown:
            raise ValueError(f"features: one of {', '.join(sorted(known))} is expected, found {', '.join(unknown)}")
        numbers = sorted(name for name in self.audited if name not in declared or declared[name].is_number)
        if numbers:
            raise ValueError(f"features.use: role audit of categories alone is expected, found {', '.join(numbers)}")
        if not any(spec.role == "cluster" for spec in self.features.use.values()):
            raise ValueError("features.use: at least one feature with role cluster is expected")
        if self.features.category_shares and not (
            self.sources.products or (self.sources.transactions and "category" in self.sources.transactions.columns)
        ):
            raise ValueError("features.category_shares: a products source or a category column is expected")
        if len({rule.name for rule in self.rules}) < len(self.rules):
            raise ValueError("rules: each name once is expected")
        taken = sorted(rule.name for rule in self.rules if _OUTCOMES.fullmatch(rule.name))
        if taken:
            raise ValueError(f"rules: names that no outcome of a row has are expected, found {', '.join(taken)}")
        strays = sorted({rule.source for rule in self.rules} - set(self.sources.declared()))
        if strays:
            raise ValueError(f"rules: a source that is there is expected, found {', '.join(strays)}")
        return self

    @property
    def audited(self) -> list[str]:
        """The attributes that only say who is in each segment."""
        return [name for name, spec in self.features.use.items() if spec.role == "audit"]

    @property
    def revenue_feature(self) -> str | None:
        """The feature that counts as revenue, if any."""
        return self.features.revenue or (catalogue.NAMES["revenue"] if self.sources.transactions else None)

    @property
    def places(self) -> list[str]:
        """Every path and URI that a run reads or writes."""
        read = [path for source in self.sources.declared().values() if source.path is not None for path in source.paths]
        return [*read, *(place for place in (self.warehouse.path, self.warehouse.models) if place is not None)]

    def fingerprint(self) -> str:
        """Return the SHA-256 of what shapes the result: all but paths, warehouse, a K asked for, ``segments`` and ``privacy``.

        Names, colours and advice say nothing of who is in which segment: renaming one is to run ``publish``
        again under the same run id, not to cluster again under another.
        """
        content = self.model_dump(mode="json", exclude={"warehouse", "k", "segments", "privacy"})
        for source in content["sources"].values():
            if source:
                source.pop("path")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
