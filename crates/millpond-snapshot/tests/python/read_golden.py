"""Reads the golden store with nothing but Python, from what docs/format/ says.

pyarrow decodes each chunk, DuckDB decodes it again, and both are compared with the rows that were
written. Hashes are computed by the blake3 and xxhash packages. Run it with

    pip install -r requirements.txt && python read_golden.py
"""

import json
import struct
import tempfile
from pathlib import Path

import blake3
import duckdb
import pyarrow.parquet
import xxhash

GOLDEN = Path(__file__).parent.parent / "golden" / "v1"


def canonical(key):
    """docs/format/key-hash.md; the fields of a struct stand in order."""
    match key:
        case bool():
            return bytes([key])
        case int():
            return struct.pack("<Q", key & (2**64 - 1))
        case str():
            text = key.encode()
            return struct.pack("<Q", len(text)) + text
        case dict():
            return b"".join(canonical(field) for field in key.values())
    raise TypeError(key)


def chunk_bytes(store, chunk):
    """docs/format/chunk.md; a chunk is an object of its own or a slice of a pack."""
    pack = chunk.get("pack")
    name = f"{pack['hash']}.pack" if pack else f"{chunk['hash']}.parquet"
    whole = (store / "chunks" / name[:2] / name).read_bytes()
    assert blake3.blake3(whole).hexdigest() == name.split(".")[0], name
    start = pack["offset"] if pack else 0
    content = whole[start : start + chunk["bytes"]]
    assert blake3.blake3(content).hexdigest() == chunk["hash"], name
    return content


def rows_of(content, chunk, state):
    """The rows of a chunk, by pyarrow, after seeing that DuckDB reads the same."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "chunk.parquet"
        path.write_bytes(content)
        file = pyarrow.parquet.ParquetFile(path)
        table = file.read()
        relation = duckdb.connect().sql(f"select * from '{path}'")
        other = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
    about = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    assert about["millpond.format_version"] == "1"
    assert about["millpond.state_kind"] == state["kind"]
    assert about["millpond.chunk_kind"] == chunk["kind"]
    assert [about["millpond.hash_start"], about["millpond.hash_end"]] == chunk["range"]
    assert about["millpond.job"] == chunk["job"]
    rows = table.to_pylist()
    assert rows == other, (rows, other)
    assert len(rows) == chunk["rows"]
    hashes = [row["hash"] for row in rows]
    assert hashes == sorted(hashes)
    start, end = (int(digits, 16) for digits in chunk["range"])
    for row in rows:
        assert start <= row["hash"] <= end
        assert xxhash.xxh3_64_intdigest(canonical(row["key"])) == row["hash"], row
    return rows


def merged(store, state):
    """The rows of a state: of all chunks that speak about a unit, the newest is heard."""
    rows = {}
    for chunk in state["chunks"]:
        start, end = (int(digits, 16) for digits in chunk["range"])
        if chunk["kind"] == "base":
            rows = {unit: row for unit, row in rows.items() if not start <= row["hash"] <= end}
        for row in rows_of(chunk_bytes(store, chunk), chunk, state):
            unit = json.dumps([row["key"], row.get("map_key"), row.get("timestamp")])
            rows.pop(unit, None)
            if not row.pop("deleted", False):
                rows[unit] = row
    return [{k: v for k, v in row.items() if k != "hash"} for row in rows.values()]


def in_any_order(rows):
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def main():
    store = GOLDEN / "store"
    assert json.loads((store / "millpond.json").read_text()) == {"format": "millpond-store", "version": 1}
    tag = json.loads((store / "jobs/flights/tags/golden.json").read_text())
    entry = json.loads((store / f"jobs/flights/log/{tag['sequence']:020}.json").read_text())
    expected = json.loads((GOLDEN / "expected.json").read_text())
    found = {}
    for operator in entry["body"]["savepoint"]["manifest"]["operators"]:
        for state in operator["states"]:
            rows = state.get("rows_inline")
            found[f"{operator['uid']}/{state['name']}"] = merged(store, state) if rows is None else rows
    assert len(found) == 9 and found.keys() == expected.keys()
    for name, rows in found.items():
        assert rows, name
        assert in_any_order(rows) == in_any_order(expected[name]), name

    vectors = (GOLDEN / "key-hash.tsv").read_text().splitlines()[1:]
    assert len(vectors) > 30
    for vector in vectors:
        name, content, digest = vector.split("\t")
        assert f"{xxhash.xxh3_64_intdigest(bytes.fromhex(content)):016x}" == digest, name
    print(f"{len(found)} states and {len(vectors)} key hashes are as they were written")


if __name__ == "__main__":
    main()
