//! Jobs to read, run and copy; each folder beside this one is a program.

/// The job in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
