"""The archive of every machine, every night, as an Airflow DAG."""

import os
import subprocess
from datetime import datetime, timedelta

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

# A retry cannot help: configuration, credentials, the job at Tulip, damaged archives.
FINAL = {2, 3, 4, 6}


@dag(schedule="15 2 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def tulip_export():
    @task(retries=3, retry_delay=timedelta(minutes=10))
    def export() -> None:
        command = ["tulip", "export", "--all", "--name", "{date}/{machine}.csv", "--if-exists", "skip"]
        run = subprocess.run([*command, "--to", os.environ["TULIP_TARGET"]], check=False)
        if run.returncode in FINAL:
            raise AirflowFailException(f"tulip ended with {run.returncode}")
        if run.returncode != 0:
            raise RuntimeError(f"tulip ended with {run.returncode}; another try can help")

    export()


recipe = tulip_export()
