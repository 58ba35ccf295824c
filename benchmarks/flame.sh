#!/usr/bin/env bash
# Where a job spends its processor time, as a picture: benchmarks/flame.sh FILE.svg JOB OPTION …
# For example: benchmarks/flame.sh keyed-sum.svg keyed-sum --keys 1000000 --records 100000000
# Needs perf, of the Linux kernel's tools, and inferno (cargo install inferno).
set -euo pipefail
if (($# < 2)); then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
picture=$1 job=$2
shift 2
for tool in perf inferno-collapse-perf inferno-flamegraph; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed: see the head of $0" >&2; exit 1; }
done
cargo build --quiet --release --manifest-path "$here/Cargo.toml"
target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$here/Cargo.toml" \
  | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Release builds keep no frame pointers, so stacks are unwound from copies of their upper 16 KiB.
perf record --quiet --freq 299 --call-graph dwarf,16384 --output "$scratch/samples" -- \
  "$target/release/millpond-benchmarks" job "$job" run --quiet -p 2 \
  --store "$scratch/store" --checkpoint-interval 1s "$@"
perf script --no-inline --input "$scratch/samples" 2>/dev/null \
  | inferno-collapse-perf \
  | inferno-flamegraph --minwidth 0.3 --title "$job $*" --countname ns >"$picture"
echo "$picture"
