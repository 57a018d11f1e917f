#!/usr/bin/env bash
# Shows that a folder of archives loads as it is: exports with `tulip demo`, then reads the folder
# with DuckDB and pyarrow, and by the rule of Spark and Hive, and compares the counts with the
# receipts, which lie in the same folder and must not be read as data. Then exports all machines of
# an emulator with partitioned keys, and reads what the manifest of that run lists.
#
#     scripts/loaders.sh target/release/tulip
#
# Needs Python with venv; installs DuckDB and pyarrow into a folder that it removes.
set -euo pipefail

tulip=$(realpath "${1:?the path of a tulip}")
# shellcheck source=scripts/emulator.sh
source "$(dirname "$0")/emulator.sh"
folder=$(mktemp -d)
trap 'stop_emulator; rm -rf "$folder"' EXIT

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

start_emulator "$tulip" --machines 4 --rows 3000
"$tulip" export --all --to "$folder/lake" --no-state --quiet --no-config \
    --name 'machine={machine}/date={date}/{job}.csv'
"$folder/python/bin/python" - "$folder/lake" <<'PYTHON'
import json, pathlib, sys

import duckdb
import pyarrow.csv
import pyarrow.dataset

folder = pathlib.Path(sys.argv[1])
night = json.loads(max(folder.glob("_runs/*.json")).read_text())
assert night["whole"] and night["counts"]["stored"] == 4, night["counts"]
objects = [export["object"] for export in night["exports"] if export["object"]]
for found in objects:
    receipt = json.loads((folder / found["receipt"]).read_text())
    assert all(receipt[field] == found[field] for field in ("bytes", "records", "checksum"))
records = sum(found["records"] for found in objects)
assert records == night["counts"]["records"] == 4 * 3000, night["counts"]
machines = {export["machine"] for export in night["exports"]}
files = [str(folder / found["key"]) for found in objects]

rows = duckdb.read_csv(files, union_by_name=True, hive_partitioning=True)
((count, parts),) = rows.aggregate("count(*), count(DISTINCT machine)").fetchall()
assert (count, parts) == (records, 4), (count, parts)

csv = pyarrow.dataset.CsvFileFormat(
    parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
)
partitioned = pyarrow.dataset.dataset(
    files, format=csv, partitioning="hive", partition_base_dir=str(folder)
)
seen = partitioned.to_table(columns=["machine"]).column("machine")
assert len(seen) == records, (len(seen), records)
assert set(seen.to_pylist()) == machines, machines

# Who reads the folder as a whole does not read the manifest.
whole = pyarrow.dataset.dataset(folder, format=csv, partitioning="hive")
assert sorted(whole.files) == sorted(files), whole.files
print(f"DuckDB and pyarrow read the {records} records of the run {night['run']}")
PYTHON
