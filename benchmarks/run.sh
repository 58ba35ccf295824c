#!/usr/bin/env bash
# One command a benchmark: benchmarks/run.sh NAME …; benchmarks/run.sh --help says which there are.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec cargo run --quiet --release --manifest-path "$here/Cargo.toml" -- "$@"
