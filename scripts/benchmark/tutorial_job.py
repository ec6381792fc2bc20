"""The whole job as tutorials write it, in plain PySpark with Delta: tutorial_job.py TRANSACTIONS FOLDER.

Without ``.cache()`` on the scaled customers, in its favour: with it they stay in 200 partitions, and every step of KMeans is
200 tasks, which takes more than twice the CPU seconds on a few thousand customers.
"""

import sys

from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.warehouse.session import DELTA_EXCLUDES, DELTA_PACKAGE

transactions_path, folder = sys.argv[1:]
spark = (
    SparkSession.builder.appName("tutorial")
    .config("spark.jars.packages", DELTA_PACKAGE)
    .config("spark.jars.excludes", DELTA_EXCLUDES)
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate()
)
transactions = spark.read.parquet(transactions_path)
last_day = transactions.agg(F.max("transaction_timestamp")).collect()[0][0]
customers = (
    transactions.groupBy("household_id")
    .agg(
        F.datediff(F.lit(last_day), F.max("transaction_timestamp")).alias("recency"),
        F.countDistinct("basket_id").alias("frequency"),
        F.sum("sales_value").alias("monetary"),
        F.sum("quantity").alias("items"),
        F.sum(F.col("retail_disc") + F.col("coupon_disc") + F.col("coupon_match_disc")).alias("discount"),
        F.countDistinct("product_id").alias("products"),
    )
    .withColumn("average_basket", F.col("monetary") / F.col("frequency"))
)
names = ["recency", "frequency", "monetary", "average_basket", "items", "discount", "products"]
assembled = VectorAssembler(inputCols=names, outputCol="raw").transform(customers)
scaler = StandardScaler(inputCol="raw", outputCol="features", withMean=True, withStd=True)
scaled = scaler.fit(assembled).transform(assembled)

models = {k: KMeans(k=k, seed=1).fit(scaled) for k in range(2, 7)}
silhouettes = {k: ClusteringEvaluator().evaluate(model.transform(scaled)) for k, model in models.items()}
best_k = max(silhouettes, key=silhouettes.__getitem__)
assignments = models[best_k].transform(scaled).select("household_id", *names, F.col("prediction").alias("segment"))
segments = assignments.groupBy("segment").agg(F.count("*").alias("customers"), *(F.avg(name).alias(name) for name in names))
assignments.write.format("delta").mode("overwrite").save(f"{folder}/assignments")
segments.write.format("delta").mode("overwrite").save(f"{folder}/segments")
segments.orderBy("segment").show()
spark.stop()
