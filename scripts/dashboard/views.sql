-- What the dashboard shows, over the tables that make_database.py copied. label() and spell() are its words for features.

CREATE TABLE feature_words AS
SELECT feature, label(feature) AS label
FROM (SELECT feature FROM traits UNION SELECT feature FROM profiles UNION SELECT feature FROM drift)
WHERE feature IS NOT NULL;
COMMENT ON TABLE feature_words IS 'What people call each feature.';

CREATE VIEW current_run AS
SELECT max_by(r.run_id, r.published_seq) AS run_id, max(r.published_seq) AS published_seq, any_value(c.run_id) AS champion
FROM runs r
CROSS JOIN (SELECT max_by(run_id, seq) AS run_id FROM champions WHERE taken_back_at IS NULL) c
WHERE r.status = 'PUBLISHED' AND (c.run_id IS NULL OR c.run_id IN (r.run_id, r.scored_with));
COMMENT ON VIEW current_run IS 'The newest published run, with a champion the newest of its own.';

CREATE VIEW current_segments AS
SELECT s.*, r.as_of
FROM segments s JOIN runs r USING (run_id)
WHERE s.run_id = (SELECT run_id FROM current_run);
COMMENT ON VIEW current_segments IS 'Segments of the current run, one row each.';

CREATE VIEW current_profiles AS
SELECT p.*, s.segment_name, w.label AS feature_label
FROM profiles p JOIN current_segments s USING (run_id, segment_id) LEFT JOIN feature_words w USING (feature);
COMMENT ON VIEW current_profiles IS 'Statistics of each feature and segment of the current run.';

CREATE TABLE sets_apart AS
SELECT
  s.segment_id, s.segment_name, t.rank, w.label AS feature_label,
  spell(t.feature, t.segment_value) AS segment_spelled, spell(t.feature, t.population_value) AS population_spelled,
  t.effect, t.segment_value, t.population_value, t.lift, t.kind
FROM traits t JOIN current_segments s USING (run_id, segment_id) JOIN feature_words w USING (feature)
ORDER BY s.segment_id, t.rank;
COMMENT ON TABLE sets_apart IS 'What sets each segment of the current run apart, in words, strongest first.';

-- A day may have several runs: the champion's own counts, then the newest. A challenger after the current run is not shown.
CREATE VIEW segments_over_runs AS
WITH shown AS (
  SELECT
    r.run_id,
    coalesce(r.as_of, CAST(r.published_at AS date)) AS day,
    row_number() OVER (
      PARTITION BY day
      ORDER BY coalesce(c.champion IN (r.run_id, r.scored_with), false) DESC, r.published_seq DESC
    ) AS place
  FROM runs r CROSS JOIN current_run c
  WHERE r.status = 'PUBLISHED' AND r.published_seq <= c.published_seq
)
SELECT
  shown.day, strftime(shown.day, '%Y-%m-%d') AS data_before, s.run_id, s.segment_key, coalesce(now.segment_name, s.segment_name) AS segment_name,
  s.customers, s.customer_share, s.revenue, s.revenue_share
FROM segments s JOIN shown USING (run_id) LEFT JOIN current_segments now USING (segment_key)
WHERE shown.place = 1
ORDER BY shown.day, s.segment_key;
COMMENT ON VIEW segments_over_runs IS 'Sizes of each segment, a row per day that runs looked at; names are those of today.';

CREATE VIEW movement AS
WITH names AS (
  SELECT s.segment_key, arg_max(s.segment_name, r.published_seq) AS segment_name
  FROM segments s JOIN runs r USING (run_id)
  WHERE r.published_seq <= (SELECT published_seq FROM current_run)
  GROUP BY s.segment_key
)
SELECT
  coalesce(f.segment_name, t.from_key, '(new)') AS segment_before,
  coalesce(g.segment_name, t.to_key, '(gone)') AS segment_name,
  t.from_key IS NOT DISTINCT FROM t.to_key AS is_same,
  t.why, t.customers, t.share, t.revenue_before, t.revenue_after
FROM transitions t
LEFT JOIN names f ON f.segment_key = t.from_key
LEFT JOIN names g ON g.segment_key = t.to_key
WHERE t.run_id = (SELECT run_id FROM current_run) AND t.customers > 0;
COMMENT ON VIEW movement IS 'Customers by segment in the run before the current one and in it.';

CREATE VIEW current_drift AS
SELECT
  CASE d.measure WHEN 'psi' THEN 'PSI' WHEN 'wssse_excess' THEN 'WSSSE' ELSE replace(d.measure, '_', ' ') END AS measure_label,
  concat_ws(', ', measure_label, w.label, s.segment_name) AS what,
  d.measure, w.label AS feature_label, coalesce(s.segment_name, 'all customers') AS segment_name,
  d.value, greatest(d.chance_bound, d.size_bound) AS bound, d.value / nullif(bound, 0) AS value_to_bound, d.is_drift,
  d.customers_then, d.customers_now
FROM drift d
LEFT JOIN segments s ON s.run_id = d.run_id AND s.segment_id = d.segment_id
LEFT JOIN feature_words w ON w.feature = d.feature
WHERE d.run_id = (SELECT run_id FROM current_run);
COMMENT ON VIEW current_drift IS 'Measures of drift of the current run against their bounds; above 1 is drift.';

CREATE VIEW run_history AS
SELECT
  r.run_id, r.status, r.as_of, r.published_at, r.customers, r.k, r.structure, r.scored_with,
  r.run_id = c.run_id AS is_current,
  split_part(r.drift_verdict, ':', 1) AS drift_verdict, r.drift_verdict AS drift_in_words, r.failure,
  r.rows_set_aside, m.seconds
FROM runs r CROSS JOIN current_run c
LEFT JOIN (SELECT run_id, sum(seconds) AS seconds FROM run_metrics GROUP BY run_id) m ON m.run_id = r.run_id;
COMMENT ON VIEW run_history IS 'Every run: its status, what it looked at, how long it took and what it says of drift.';
