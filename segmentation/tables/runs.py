"""The runs, and what readers find without knowing one."""

from dataclasses import replace

from segmentation.tables.assign import ASSIGNMENTS
from segmentation.tables.core import DATE, DOUBLE, INT, LONG, RUN_ID, STRING, TIMESTAMP, Column, Table
from segmentation.tables.segments import PROFILES, SEGMENTS

RUNNING, FAILED, PUBLISHED, DROPPED = "RUNNING", "FAILED", "PUBLISHED", "DROPPED"

RUNS = Table(
    "runs",
    "One row per run; status PUBLISHED is the point of publication.",
    ("run_id",),
    (
        RUN_ID,
        Column("status", STRING, "RUNNING, FAILED, PUBLISHED, or DROPPED: of a run too old to keep", required=True),
        Column("finished_stage", STRING, "last stage that ended; what --resume goes on after"),
        Column("failure", STRING, "why a run FAILED: the stage and its one line"),
        Column(
            "published_seq", LONG, "publication order, 1 first; the largest is current, with a champion the largest of its own"
        ),
        Column("as_of", DATE, "first day not seen; null without transactions"),
        Column("k", INT, "number of segments chosen"),
        Column("decision", STRING, "why this K, in words"),
        Column(
            "spark_silhouette", DOUBLE, "silhouette of the published assignments by Spark's ClusteringEvaluator; null with one"
        ),
        Column("spark_silhouette_customers", LONG, "customers it was measured on, count; a sample of large tables"),
        Column("structure", STRING, "strong, moderate, weak (groups), continuum or none: whether the segments are groups"),
        Column("rule", STRING, "rule that chooses K"),
        Column("rule_k", INT, "K that the rule took; another than k where a K was asked for"),
        Column("rows_read", LONG, "rows read from all sources, count"),
        Column("rows_kept", LONG, "rows kept, count"),
        Column("rows_set_aside", LONG, "rows set aside, count; rows_read = rows_kept + rows_set_aside"),
        Column("customers", LONG, "customers assigned, count"),
        Column("min_cell", INT, "privacy.min_cell: of fewer customers the tables of the run tell nothing"),
        Column("layout_partitions", INT, "partitions of the canonical layout, count"),
        Column("category_shares", STRING, "JSON: columns of category shares that this run computed, each with its category"),
        Column("seeds", STRING, "restart seeds, comma separated"),
        Column("table_versions", STRING, "JSON: Delta version of each table that holds this run"),
        Column("source_versions", STRING, "JSON: Delta version of each Delta source"),
        Column(
            "config_hash",
            STRING,
            "SHA-256 of the effective configuration without paths, K asked for and the section segments",
            required=True,
        ),
        Column("input_fingerprint", STRING, "SHA-256 over the rows of all sources, whatever their order or files"),
        Column(
            "source_files",
            STRING,
            "SHA-256 over path, bytes and time of change of the sources' files as they were read; null with a catalog table",
        ),
        Column(
            "taken_from",
            STRING,
            "run whose rows and features, or fits too, this one took over; null of a run that read its sources itself",
        ),
        Column("model_path", STRING, "where the PipelineModel lies"),
        Column("scored_with", STRING, "run whose model scored this one; null of a run that trained its own"),
        Column("drift_verdict", STRING, "keep, re-score, refit or new segmentation, and why; null where nothing was compared"),
        Column("spark_version", STRING, "Spark version", required=True),
        Column("delta_version", STRING, "Delta Lake version", required=True),
        Column("package_version", STRING, "version of this package", required=True),
        Column("started_at", TIMESTAMP, "start of the run, UTC", required=True),
        Column("published_at", TIMESTAMP, "instant of publication, UTC"),
    ),
)

RUN_METRICS = Table(
    "run_metrics",
    "What each stage of a run took, the last time it was run to its end.",
    ("run_id", "stage"),
    (
        RUN_ID,
        Column("stage", STRING, "stage of the run; report is the drawing of its report", required=True),
        Column("ended_at", TIMESTAMP, "when it ended, UTC", required=True),
        Column("rows_in", LONG, "rows it worked on, count: of all sources in ingest, those kept in features, then the customers"),
        Column(
            "rows_out", LONG, "rows it wrote into tables of the run other than runs, count; in a catalog all that Spark wrote"
        ),
        Column("seconds", DOUBLE, "time on the clock, seconds", required=True),
        Column("driver_cpu_seconds", DOUBLE, "CPU time of the driver's Python, seconds", required=True),
        Column("spark_jobs", INT, "Spark jobs, count; like all that follows null where Spark does not tell, or no longer knows"),
        Column("spark_tasks", INT, "Spark tasks that ended, count"),
        Column("executor_cpu_seconds", DOUBLE, "CPU time of the JVM's tasks, seconds; their Python workers are not in it"),
        Column("bytes_read", LONG, "bytes that Spark's tasks read from files and cached frames"),
        Column("bytes_written", LONG, "bytes that Spark's tasks wrote to files; what delta-rs writes is not in it"),
        Column("bytes_shuffled", LONG, "bytes that Spark's tasks wrote for a shuffle"),
        Column("bytes_spilled", LONG, "bytes that Spark's tasks wrote to disk for want of memory"),
        Column("execution_memory_bytes", LONG, "memory that joins, sorts and sums of one Spark stage held, the largest, bytes"),
        Column(
            "peak_memory_bytes",
            LONG,
            "largest heap of an executor, bytes; null where no Spark stage lasted until Spark looked (every ten seconds)",
        ),
    ),
)

CURRENT = {
    table.name: replace(
        table,
        name=f"current_{table.name}",
        comment=f"Newest published run of {table.name}, with a champion the newest of its own.",
    )
    for table in (ASSIGNMENTS, SEGMENTS, PROFILES)
}
