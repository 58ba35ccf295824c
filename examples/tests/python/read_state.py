"""Runs the `flights` job, exports its state, and reads the Parquet files with DuckDB and with pyarrow.

    python read_state.py FLIGHTS MILLPOND

takes the built programs. What both read must be the totals of the CSV file, counted here. (The chunks of earlier
versions are read by crates/millpond-snapshot/tests/python/read_golden.py.)
"""

import json
import tempfile
from pathlib import Path

import duckdb
import pyarrow.parquet

import flights


def chunks(export, uid):
    """The files of the one state of an operator, oldest first, as the manifest lists them."""
    files = json.loads((export / "millpond.json").read_text())["files"]
    (snapshot,) = json.loads((export / "snapshot.json").read_text())["body"].values()
    (state,) = [
        state
        for operator in snapshot["manifest"]["operators"]
        if operator["uid"] == uid
        for state in operator["states"]
        if state["kind"] == "value"
    ]
    return [export / files[chunk["hash"]] for chunk in state["chunks"]]


def by_pyarrow(paths):
    """No carrier is ever deleted, so the newest chunk that has a key says its value."""
    found = {}
    for path in paths:
        for row in pyarrow.parquet.ParquetFile(path).read().to_pylist():
            assert not row.get("deleted"), row
            found[row["key"]] = flights.numbers(row["value"])
    return found


def by_duckdb(paths):
    chunks = " union all by name ".join(
        f"select *, {place} as place from read_parquet('{path}')" for place, path in enumerate(paths)
    )
    rows = duckdb.sql(
        f"""select key, value.flights, value.cancelled, value.total_dep_delay
            from ({chunks}) qualify row_number() over (partition by key order by place desc) = 1"""
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {key: tuple(value) for key, *value in rows}


def main():
    job, millpond = flights.programs()
    with tempfile.TemporaryDirectory(prefix="millpond-read-state-") as directory:
        directory = Path(directory)
        run = "-p 2 --rate 20000 --checkpoint-interval 200ms --listen 127.0.0.1:0"
        flights.succeeds(job, "run", "--store", "store", "--output", "output", *run.split(), cwd=directory)
        export = directory / "export"
        take = ("snapshots", "export", "flights@latest", export, "--store", "store")
        flights.succeeds(millpond, *take, cwd=directory)
        carriers, _ = flights.expected()
        paths = chunks(export, "carrier-totals")
        assert paths
        assert by_pyarrow(paths) == carriers
        assert by_duckdb(paths) == carriers
    print(f"DuckDB and pyarrow read the totals of {len(carriers)} carriers from {len(paths)} chunks")


if __name__ == "__main__":
    main()
