# Recipes equal the steps of .ci/run.

# All of them.
ci:
    .ci/run

test:
    cargo test --workspace

# The pages of docs/guide, as a reader goes through them.
test-guide page="":
    cargo test --workspace --test guide {{page}}

# Kill the flights job many times, at other moments each time.
test-kills kills="200" seed="1":
    MILLPOND_TEST_KILLS={{kills}} MILLPOND_TEST_SEED={{seed}} cargo test -p millpond-examples --test flights crash

# DuckDB and pyarrow read state that this version wrote, and golden state.
test-readers:
    .ci/run readers

# Conformance and a job's life on an S3 API that runs on loopback.
test-s3:
    .ci/run s3

# The benchmarks' subjects, on a thousandth of the work.
test-benchmarks:
    .ci/run benchmarks

# Each decoder on hostile bytes; needs `cargo install cargo-fuzz`.
fuzz seconds="15" *targets:
    fuzz/run {{seconds}} {{targets}}

fmt:
    cargo fmt --all

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --open

flights *options:
    cargo run --release --example flights -- run {{options}}
