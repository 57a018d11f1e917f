"""Runs the DAG as Airflow does: once with a token that Tulip takes, and once with one that it
refuses. `scripts/orchestrators.sh` has set the environment.
"""

import os
import sys

import tulip_export
from airflow.sdk.exceptions import AirflowFailException

dag = tulip_export.recipe


def expect(found, expected):
    if found != expected:
        sys.exit(f"expected {expected}, found {found}")
    print("as expected:", found)


def run():
    """How the task ended. One that could be retried would be up for retry."""
    return str(dag.test().get_task_instance("export").state)


def attempt(**environment):
    """What an attempt outside of a run raises."""
    os.environ.update(environment)
    try:
        dag.get_task("export").python_callable()
    except Exception as error:
        return type(error).__name__
    return None


expect(run(), "success")
secret = os.environ["TULIP_API_SECRET"]
os.environ["TULIP_API_SECRET"] = "wrong"
expect(run(), "failed")
expect(attempt(), AirflowFailException.__name__)
# Nothing listens there, so another try may help.
expect(attempt(TULIP_API_SECRET=secret, TULIP_BASE_URL="http://127.0.0.1:9"), "RuntimeError")
