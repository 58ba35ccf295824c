"""Runs a command beside an S3 API on loopback, with an empty bucket.

    python with_s3.py COMMAND [ARGUMENT ...]

The command finds the bucket's address in MILLPOND_TEST_STORE, and in the environment what it takes to reach it. The
server, moto, is a thread of this program on a port that was free: it ends when the command does, however that ends.
"""

import logging
import os
import subprocess
import sys
import urllib.request

from moto.server import ThreadedMotoServer

BUCKET = "millpond-test"


def main():
    # It is this machine that is meant, whatever the proxy for the others.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"))
    os.environ |= {
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "MILLPOND_TEST_STORE": f"s3://{BUCKET}",
    }
    try:
        return subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
