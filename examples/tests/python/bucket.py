"""Runs the `flights` job on a store in a bucket, from its first record to a copy of its state, and back.

    python with_s3.py python bucket.py FLIGHTS MILLPOND

takes the built programs. The results must be those of a run on a local store, and what the CSV file comes to.
"""

import json
import os
import tempfile
from pathlib import Path

import flights

RUN = "--checkpoint-interval 200ms --listen 127.0.0.1:0"


class Bucket:
    """A store in a bucket, a directory for output, and the two programs."""

    def __init__(self, directory):
        self.flights, self.millpond = flights.programs()
        self.directory = directory
        self.bucket = f"{os.environ['MILLPOND_TEST_STORE']}/bucket-{os.getpid()}"
        self.store = f"{self.bucket}/store"
        self.output = directory / "output"

    def start(self, options):
        said = self.directory / "said.txt"
        where = ("--store", self.store, "--output", self.output)
        return flights.Job(self.flights, "run", *where, *RUN.split(), *options.split(), said=said)

    def finish(self, options, store=None, output=None):
        where = ("--store", store or self.store, "--output", output or self.output)
        flights.succeeds(self.flights, "run", *where, *RUN.split(), *map(str, options))

    def control(self, job, line):
        return flights.succeeds(self.millpond, *line.split(), "--address", job.address)

    def snapshots(self, *arguments, store=None):
        """What `millpond snapshots` says as JSON; the table for people must be there too."""
        command = (self.millpond, "snapshots", *map(str, arguments), "--store", str(store or self.store))
        return json.loads(flights.succeeds(*command, "--json"))

    def listed(self):
        """The addresses of all snapshots."""
        return [snapshot["snapshot"] for snapshot in self.snapshots("ls")]

    def verified(self, *what, store=None):
        found = self.snapshots("verify", *what, store=store)
        assert found["chunks"] > 0 and found["problems"] == [], found


def lives(bucket):
    """A savepoint, a crash, a recovery, a stop, and the rest."""
    with bucket.start("-p 2 --rate 4000") as job:
        bucket.control(job, "savepoint flights --tag half-way")
        taken = len(bucket.listed())
        newest = bucket.listed()[-1]
        flights.until("a checkpoint after the savepoint", lambda: bucket.listed()[-1] != newest)
        assert taken > 0
        job.kill()
    with bucket.start("-p 3 --rate 4000") as job:
        newest = bucket.listed()[-1]
        flights.until("a checkpoint of the second run", lambda: bucket.listed()[-1] != newest)
        bucket.control(job, "stop flights")
        job.ends_well()
    bucket.finish("-p 1 -s flights@latest".split())


def is_looked_at(bucket):
    for table in ("ls", "show flights#half-way", "verify", "gc --dry-run"):
        command = (bucket.millpond, "snapshots", *table.split(), "--store", bucket.store)
        assert flights.succeeds(*command).strip(), table
    assert [s for s in bucket.snapshots("ls") if s["marks"]["tags"] == ["half-way"]]
    uids = {operator["uid"] for operator in bucket.snapshots("show", "flights#half-way")["operators"]}
    assert {"carrier-totals", "hourly-origins", "flights"} <= uids, uids
    bucket.verified()
    # What the killed run had not named is younger than the grace period, without which a dry run deletes nothing either.
    bucket.snapshots("gc", "--dry-run", "--grace", "0s")
    bucket.verified()


def travels(bucket, expected):
    """To a directory, back to another place in the bucket, and out of a store altogether; each is good to start from."""
    local, back = bucket.directory / "copy", f"{bucket.bucket}/back"
    there = bucket.snapshots("copy", "flights#half-way", local)
    bucket.verified(store=local)
    again = bucket.snapshots("copy", there["copy"], back, store=local)
    bucket.verified(store=back)
    for place in (bucket.directory / "export", f"{bucket.bucket}/export"):
        bucket.snapshots("export", "flights#half-way", place)
        bucket.verified(place)
    starts = {
        "from-back": (again["copy"], back),
        "from-directory": (bucket.directory / "export", bucket.directory / "from-directory-store"),
        "from-bucket": (f"{bucket.bucket}/export", f"{bucket.bucket}/from-bucket-store"),
    }
    for name, (snapshot, store) in starts.items():
        output = bucket.directory / name
        bucket.finish(["-s", snapshot], store=str(store), output=output)
        # The records before the savepoint are elsewhere; the totals are not.
        last = {}
        for record in flights.records(output / "carriers"):
            last[record["carrier"]] = max(last.get(record["carrier"], (0,)), flights.numbers(record))
        assert last and last.items() <= expected.items(), (name, last)
        whole = sum(numbers[0] for numbers in last.values())
        assert whole > 20_000, (name, last)


def main():
    with tempfile.TemporaryDirectory(prefix="millpond-bucket-") as directory:
        directory = Path(directory)
        bucket = Bucket(directory)
        expected = flights.expected()
        bucket.finish(["-p", "2"], store=str(directory / "local"), output=directory / "local-output")
        assert flights.committed(directory / "local-output") == expected
        lives(bucket)
        assert flights.committed(bucket.output) == expected
        is_looked_at(bucket)
        travels(bucket, expected[0])
    print("a store in a bucket is as good as a directory")


if __name__ == "__main__":
    main()
