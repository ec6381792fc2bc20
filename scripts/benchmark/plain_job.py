"""The plain part of the job without Spark, by DuckDB, scikit-learn and deltalake: plain_job.py LINES FOLDER."""

import sys

import duckdb
import numpy as np
from deltalake import write_deltalake
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

FEATURES_SQL = """
    WITH orders AS (
        SELECT customer_id, order_id, max(ordered_at) AS ordered_at, sum(amount) AS amount, sum(quantity) AS items
        FROM read_parquet($lines) WHERE customer_id IS NOT NULL GROUP BY ALL
    )
    SELECT customer_id, date_diff('day', max(ordered_at), TIMESTAMPTZ '2026-01-01') AS recency_days,
        count(*) AS frequency_orders, sum(amount) AS monetary_total, sum(amount) / count(*) AS average_order_value,
        sum(items) / count(*) AS items_per_order, date_diff('day', min(ordered_at), TIMESTAMPTZ '2026-01-01') AS tenure_days
    FROM orders GROUP BY customer_id ORDER BY customer_id
"""
LOGGED = 3  # the first so many features are skewed

lines, folder = sys.argv[1:]
features = duckdb.execute(FEATURES_SQL, {"lines": f"{lines}/*.parquet"}).to_arrow_table()
points = np.column_stack([features[name].to_numpy() for name in features.column_names[1:]]).astype(float)
points[:, :LOGGED] = np.sign(points[:, :LOGGED]) * np.log1p(np.abs(points[:, :LOGGED]))
scaled = StandardScaler().fit_transform(points)
fits = {k: KMeans(n_clusters=k, n_init=3, random_state=1).fit(scaled) for k in range(2, 9)}
silhouettes = {k: silhouette_score(scaled, fit.labels_, sample_size=10_000, random_state=1) for k, fit in fits.items()}
best_k = max(silhouettes, key=silhouettes.__getitem__)
write_deltalake(f"{folder}/assignments", features.append_column("segment", [fits[best_k].labels_]), mode="overwrite")
print(f"K = {best_k}, {features.num_rows:,} customers")
