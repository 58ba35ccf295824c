//! What is decided before anything runs: uids, names of states, whether a snapshot fits, and whether a run may start.

mod checking;
mod fit;
mod live;
