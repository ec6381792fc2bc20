"""What numpy makes of customers in this process is what Java and Spark make of them, to the last bit."""

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.hashes import draw_places, hash_ids
from segmentation.clustering.placing import Constants
from segmentation.clustering.strict import log1p


def test_log1p_is_javas(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    steps = 2.0 ** np.arange(-70, 80)
    edges = np.array([0.0, 2**0.5 - 1, np.nextafter(2**0.5 - 1, 0), 2.0**-29, 2.0**-54, 2.0**53, 1e300])
    drawn = [rng.lognormal(0, 3, 50_000), rng.uniform(0, 2, 20_000), 10.0 ** rng.uniform(-20, 20, 20_000), np.arange(3000) / 100]
    values = np.concatenate([*drawn, steps, np.abs(steps - 1), edges])

    by_java = spark.createDataFrame(pa.table({"x": values})).select(F.log1p("x").alias("y")).toArrow()["y"].to_numpy()

    assert (np.log1p(values) != by_java).sum() > 1_000  # which is why there is another
    np.testing.assert_array_equal(log1p(values), by_java)


def test_ids_hash_as_in_spark(spark: SparkSession) -> None:
    ids = ["", "a", "c1", "zwölf 超", "x" * 31, "x" * 32, "x" * 100, "0", "-1", "\U0001f600"]
    table = pa.table({"customer_id": ids})

    by_spark = spark.createDataFrame(table).select(F.xxhash64("customer_id").alias("hash")).toArrow()["hash"].to_numpy()

    np.testing.assert_array_equal(hash_ids(table["customer_id"]), by_spark)
    places = draw_places(table["customer_id"], step=3)
    assert [by_spark[one] % 3 for one in places] == [0] * len(places)
    assert [by_spark[one] for one in places] == sorted(one for one in by_spark if one % 3 == 0)


def test_of_centres_equally_near_the_smallest_number_is_taken() -> None:
    model = Constants([], [], [[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], is_nearest=True)

    segments, squares = model.place(np.array([[0.0, 0.0], [-0.5, 0.0], [2.0, 1.0]]))

    assert segments.tolist() == [0, 1, 0]
    assert squares.tolist() == [1.0, 0.25, 2.0]
