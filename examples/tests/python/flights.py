"""What the checks beside this file share: the built programs, and what the job's results must be, computed without it."""

import csv
import json
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

DATA = Path(__file__).parents[2] / "data" / "flights-2013-01.csv"

# Far longer than anything takes.
PATIENCE = 120


def programs():
    """The paths of the `flights` example and the `millpond` command, the arguments of each check."""
    flights, millpond = (str(Path(path).resolve(strict=True)) for path in sys.argv[1:])
    return flights, millpond


def succeeds(*command, **options):
    """Runs a program to its end, and gives what it printed."""
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **options
    )
    said = f"{' '.join(map(str, command))}: exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, said
    return ended.stdout


def until(what, ask):
    """Asks again until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


class Job:
    """A running job. It is killed if it has not ended when a `with` block does."""

    def __init__(self, *command, said):
        self.said = said
        with open(said, "w") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file
            )
        self.address = until("the control server", self._address)

    def _address(self):
        assert self.process.poll() is None, self.said.read_text()
        found = re.search(r"control server at (\S+)\n", self.said.read_text())
        return found and found[1]

    def kill(self):
        assert self.process.poll() is None, f"it had ended already:\n{self.said.read_text()}"
        self.process.kill()
        self.process.wait()

    def ends_well(self):
        assert self.process.wait(PATIENCE) == 0, self.said.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def totals(rows, key):
    """Flights, cancelled flights and total delay of rows of the CSV file, by a key."""
    found = {}
    for row in rows:
        cancelled = row["dep_delay"] == "NA"
        before = found.get(key(row), (0, 0, 0))
        delay = 0 if cancelled else int(row["dep_delay"])
        found[key(row)] = (before[0] + 1, before[1] + cancelled, before[2] + delay)
    return found


def expected():
    """What the carriers and the hours come to: two dictionaries."""
    with open(DATA, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 20_000

    def hour(row):
        start = datetime.fromisoformat(row["time_hour"])
        return row["origin"], start, start + timedelta(hours=1)

    return totals(rows, lambda row: row["carrier"]), totals(rows, hour)


def committed(output):
    """The same two dictionaries, from the files that the job committed; no record may be there twice."""
    carriers, hours = {}, {}
    for record in records(output / "carriers"):
        running = carriers.setdefault(record["carrier"], {})
        assert record["flights"] not in running, f"twice: {record}"
        running[record["flights"]] = numbers(record)
    for carrier, running in carriers.items():
        assert sorted(running) == list(range(1, len(running) + 1)), f"gaps: {carrier}"
    for record in records(output / "hourly"):
        hour = (record["origin"], *(datetime.fromisoformat(record[at]) for at in ("window_start", "window_end")))
        assert hour not in hours, f"twice: {record}"
        hours[hour] = numbers(record)
    return {carrier: running[max(running)] for carrier, running in carriers.items()}, hours


def records(folder):
    for path in sorted(folder.glob("part-*.jsonl")):
        yield from map(json.loads, path.read_text().splitlines())


def numbers(record):
    return record["flights"], record["cancelled"], record["total_dep_delay"]
