"""An Airflow 3 DAG, the third of each month: score with the champion; where drift asks for a refit, train a challenger.

A challenger is not shown until a person has looked at it and said ``segmentation promote``.
"""

from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG

# The first day not seen; in the run id it lets a task that is repeated write the same run again.
DAY = "{{ data_interval_end.strftime('%Y-%m-01') }}"
COMMON = f"--config /srv/shop.yaml --as-of {DAY} --run-id"
# 10, 11 and 12 are verdicts and not failures; every other code fails the task. The last line is the task's XCom.
VERDICT = "{ code=$?; [ $code -ge 10 ] && [ $code -le 12 ] && echo $code || exit $code; }"
# A refit has as many segments as the champion; of a new segmentation the grid says how many.
SEGMENTS = "{{ '--k champion' if ti.xcom_pull(task_ids='score') == '11' else '' }}"


def choose(ti: Any) -> str:
    """Return the task that follows the score: 11 is refit and 12 a new segmentation."""
    return "challenger" if ti.xcom_pull(task_ids="score") in ("11", "12") else "done"


with DAG(
    "segments",
    schedule="0 4 3 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
) as dag:
    score = BashOperator(
        task_id="score", bash_command=f"segmentation score {COMMON} score-{DAY} --exit-on-drift || {VERDICT}", append_env=True
    )
    branch = BranchPythonOperator(task_id="branch", python_callable=choose)
    challenger = BashOperator(
        task_id="challenger", bash_command=f"segmentation run {COMMON} challenger-{DAY} {SEGMENTS}", append_env=True
    )
    done = EmptyOperator(task_id="done")
    score >> branch >> [challenger, done]
