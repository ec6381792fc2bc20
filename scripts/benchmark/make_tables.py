"""Write the benchmark's tables: lines of JSON [path, kind, rows, features] from standard input."""

import json
import sys

from segmentation.synthetic import generate_elongated, generate_mixture, generate_skewed
from segmentation.warehouse.session import open_session

SEED = 20_240
SHARES = [30, 20, 15, 12, 10, 8, 4, 1]

spark, _ = open_session()
for line in sys.stdin:
    path, kind, rows, features = json.loads(line)
    if kind == "mixture":
        frame = generate_mixture(spark, customers=rows, features=features, shares=SHARES, seed=SEED)
    elif kind == "harder":
        frame = generate_elongated(spark, customers=rows, features=features, shares=SHARES, seed=SEED)
    else:
        frame = generate_skewed(spark, customers=rows, features=features, seed=SEED)
    frame.write.mode("overwrite").parquet(path)
