"""Hand the newest verdict on drift to the next task of databricks_monthly.yml. The argument is the table ``runs``."""

import sys

from databricks.sdk.runtime import dbutils, spark

newest = spark.table(sys.argv[1]).where("status = 'PUBLISHED'").orderBy("published_seq", ascending=False).first()
verdict = (newest["drift_verdict"] or "").partition(":")[0]
dbutils.jobs.taskValues.set(key="asks_for_refit", value=str(verdict in ("refit", "new segmentation")).lower())
