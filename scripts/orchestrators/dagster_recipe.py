"""Runs the asset as Dagster does: once with a token that Tulip takes, once with one that it refuses,
and once against a target that cannot be reached. `scripts/orchestrators.sh` has set the environment.
"""

import os
import sys

os.environ["TULIP_RETRY_DELAY"] = "0"

from tulip_export import defs


def run(**environment):
    """Whether the run succeeded, the metadata that it ended with, and how often it was retried."""
    before = dict(os.environ)
    os.environ.update(environment)
    result = defs.resolve_job_def("tulip_nightly").execute_in_process(raise_on_error=False)
    os.environ.clear()
    os.environ.update(before)
    events = result.all_events
    retries = sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in events)
    if result.success:
        made = result.asset_materializations_for_node("tulip_archives")[0]
        return True, {name: value.value for name, value in made.metadata.items()}, retries
    failure = next(event for event in events if event.event_type_value == "STEP_FAILURE")
    user_metadata = failure.step_failure_data.user_failure_data.metadata
    return False, {name: value.value for name, value in user_metadata.items()}, retries


def expect(found, success, exit_code, retries):
    if (found[0], found[1]["exit_code"], found[2]) != (success, exit_code, retries):
        sys.exit(f"expected {(success, exit_code, retries)}, found {found}")
    print("as expected:", found)


expect(run(), True, 0, 0)
expect(run(TULIP_API_SECRET="wrong"), False, 3, 0)
# Nothing listens there, so another try may help.
expect(run(TULIP_BASE_URL="http://127.0.0.1:9"), False, 1, 3)
