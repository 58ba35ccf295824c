//! Apache Flink beside us: fetched, built, started and stopped by the harness, all on loopback.

pub mod cluster;
pub mod install;

pub use cluster::{Backend, Cluster, free_port};
pub use install::Flink;
