"""The archive of every machine, every night, as a Dagster asset."""

import json
import os
import subprocess

import dagster as dg

# A retry cannot help: configuration, credentials, the job at Tulip, damaged archives.
FINAL = {2, 3, 4, 6}


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=3, delay=int(os.environ.get("TULIP_RETRY_DELAY", "600"))))
def tulip_archives() -> dg.MaterializeResult:
    command = ["tulip", "export", "--all", "--name", "{date}/{machine}.csv", "--if-exists", "skip", "--json"]
    run = subprocess.run(
        [*command, "--to", os.environ["TULIP_TARGET"]], stdout=subprocess.PIPE, text=True, check=False
    )
    exports = [json.loads(line) for line in run.stdout.splitlines()]
    failed = [export["error"] for export in exports if export["error"]]
    metadata = {"exports": len(exports), "failed": len(failed), "exit_code": run.returncode}
    if run.returncode != 0:
        reason = failed[0] if failed else "see stderr"
        raise dg.Failure(
            description=f"tulip ended with {run.returncode}: {reason}",
            metadata=metadata,
            allow_retries=run.returncode not in FINAL,
        )
    return dg.MaterializeResult(metadata=metadata)


nightly = dg.define_asset_job("tulip_nightly", [tulip_archives])
defs = dg.Definitions(
    assets=[tulip_archives],
    schedules=[dg.ScheduleDefinition(job=nightly, cron_schedule="15 2 * * *")],
)
