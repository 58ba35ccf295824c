#!/usr/bin/env python3
"""What the flights job must come to, computed without it.

    flights.py CSV...                     prints the expected results as JSON
    flights.py CSV... --check OUTPUT      compares them with what a finished job wrote; exit code 1 if they differ

Standard library only. Every committed record counts: for a carrier with n flights there must be n records, with
`flights` from 1 to n, the last of which has the totals; every hourly record must be there once.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path


def utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def count(totals, row):
    totals["flights"] += 1
    if row["dep_delay"] == "NA":
        totals["cancelled"] += 1
    else:
        totals["total_dep_delay"] += int(row["dep_delay"])


def nothing():
    return {"flights": 0, "cancelled": 0, "total_dep_delay": 0}


def expected(paths):
    """The totals of each carrier, and of each origin and hour of scheduled departure."""
    carriers = defaultdict(nothing)
    hourly = defaultdict(nothing)
    for path in paths:
        with open(path, newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                hour = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ")
                departure = hour + timedelta(minutes=int(row["minute"]))
                start = departure.replace(minute=0, second=0)
                count(carriers[row["carrier"]], row)
                count(hourly[row["origin"], start], row)
    return {
        "carriers": [{"carrier": carrier, **totals} for carrier, totals in sorted(carriers.items())],
        "hourly": [
            {"origin": origin, "window_start": utc(start), "window_end": utc(start + timedelta(hours=1)), **totals}
            for (origin, start), totals in sorted(hourly.items())
        ],
    }


def committed(folder):
    """Every record in the committed files of a folder."""
    strangers = [p.name for p in folder.iterdir() if p.suffix == ".jsonl" and not p.match("part-*.jsonl")]
    if strangers:
        raise ValueError(f"{folder} holds files that are no committed results: {strangers}")
    return [json.loads(line) for p in sorted(folder.glob("part-*.jsonl")) for line in p.read_text().splitlines()]


def differences(want, output):
    """What is wrong with the results in `output`, one line each."""
    running = defaultdict(list)
    for record in committed(output / "carriers"):
        running[record["carrier"]].append(record)
    for carrier in sorted(running.keys() - {totals["carrier"] for totals in want["carriers"]}):
        yield f"carrier {carrier} is not in the input"
    for totals in want["carriers"]:
        records = sorted(running[totals["carrier"]], key=lambda record: record["flights"])
        counts = [record["flights"] for record in records]
        if counts != list(range(1, totals["flights"] + 1)):
            yield f"carrier {totals['carrier']}: {len(counts)} records, and not one each for 1 to {totals['flights']}"
        elif records[-1] != totals:
            yield f"carrier {totals['carrier']}: expected {totals}, found {records[-1]}"
    place = lambda record: (record["origin"], record["window_start"])
    found = sorted(committed(output / "hourly"), key=place)
    if found != want["hourly"]:
        yield f"hourly: expected {len(want['hourly'])} records, found {len(found)}"
        missing = [record for record in want["hourly"] if record not in found]
        wrong = [record for record in found if record not in want["hourly"]]
        yield from (f"hourly: missing {record}" for record in missing[:3])
        yield from (f"hourly: wrong {record}" for record in wrong[:3])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("csv", nargs="+", type=Path)
    arguments.add_argument("--check", metavar="OUTPUT", type=Path)
    options = arguments.parse_args()
    want = expected(options.csv)
    if not want["hourly"]:
        sys.exit("the input has no rows: nothing can be checked")
    if options.check is None:
        json.dump(want, sys.stdout, indent=1)
        return
    wrong = list(differences(want, options.check))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(want['carriers'])} carriers and {len(want['hourly'])} hours are right")


if __name__ == "__main__":
    main()
