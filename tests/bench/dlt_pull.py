"""The pull that dlt makes, in its own environment: `python dlt_pull.py FOLDER`, the task as JSON on standard input.

The task: base_url, token, accounts (id and handle), lists (endpoint to its parameters), parallelized. Prints seconds and items as
JSON. The seconds begin after the imports and end when all is in DuckDB.
"""

import json
import os
import sys
import time

folder = sys.argv[1]
os.environ.update(
    {
        "DLT_DATA_DIR": f"{folder}/data",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
)

import dlt  # type: ignore[import-not-found]  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]  # noqa: E402

task = json.load(sys.stdin)


@dlt.resource(name="accounts", selected=False)  # type: ignore[untyped-decorator]
def accounts():  # type: ignore[no-untyped-def]
    yield task["accounts"]


def listed(name, parameters):  # type: ignore[no-untyped-def]
    cursor = {"type": "cursor", "cursor_path": "meta.next_token", "cursor_param": "pagination_token"}
    path = f"2/users/{{resources.accounts.id}}/{name}"
    endpoint = {"path": path, "params": parameters, "data_selector": "data", "paginator": cursor}
    return {"name": name, "endpoint": endpoint, "parallelized": task["parallelized"]}


users = {
    "name": "users",
    "parallelized": task["parallelized"],
    "endpoint": {
        "path": "2/users/by",
        "params": {"usernames": "{resources.accounts.handle}", "user.fields": "public_metrics"},
        "data_selector": "data",
        "paginator": "single_page",
    },
}
started = time.monotonic()
source = rest_api_source(
    {
        "client": {"base_url": task["base_url"] + "/", "auth": {"type": "bearer", "token": task["token"]}},
        "resources": [accounts(), users, *(listed(name, parameters) for name, parameters in task["lists"].items())],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=f"{folder}/pipelines",
    destination=dlt.destinations.duckdb(f"{folder}/bench.duckdb"),
    dataset_name="pulled",
)
pipeline.run(source, write_disposition="append").raise_on_failed_jobs()
seconds = time.monotonic() - started
counts = pipeline.last_trace.last_normalize_info.row_counts
items = sum(count for name, count in counts.items() if name in ("users", *task["lists"]))
print(json.dumps({"seconds": seconds, "items": items}))
