#!/usr/bin/env bash
# Shows that a folder of archives loads as it is: exports with `tulip demo`, then reads the folder
# with DuckDB and pyarrow, and by the rule of Spark and Hive, and compares the counts with the
# receipts, which lie in the same folder and must not be read as data.
#
#     scripts/loaders.sh target/release/tulip
#
# Needs Python with venv; installs DuckDB and pyarrow into a folder that it removes.
set -euo pipefail

tulip=$(realpath "${1:?the path of a tulip}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/python"
"$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check duckdb pyarrow
"$tulip" demo --to "$folder/archives" --machines 3 --rows 5000 >/dev/null
"$folder/python/bin/python" - "$folder/archives" <<'PYTHON'
import json, pathlib, sys

import duckdb
import pyarrow.dataset

folder = pathlib.Path(sys.argv[1])
receipts = [json.loads(path.read_text()) for path in folder.rglob("_*.receipt.json")]
assert len(receipts) == 3, receipts
records = sum(receipt["records"] for receipt in receipts)

# Spark, Hive and Athena skip what begins with `_` or `.`.
read = [path for path in folder.rglob("*") if path.is_file() and path.name[0] not in "_."]
assert all(path.suffix == ".csv" for path in read) and len(read) == 3, read

# A folder of several types of machines has several headers: by name, what is missing is null.
query = f"SELECT count(*) FROM read_csv('{folder}/**/*.csv', union_by_name = true)"
((count,),) = duckdb.connect().execute(query).fetchall()
assert count == records, (count, records)

# pyarrow lists the folder itself, and skips as Spark does.
dataset = pyarrow.dataset.dataset(folder, format="csv")
assert len(dataset.files) == 3, dataset.files
count = sum(
    pyarrow.dataset.dataset(path, format="csv").count_rows() for path in dataset.files
)
assert count == records, (count, records)
print(f"DuckDB and pyarrow read the {records} records of the receipts")
PYTHON
