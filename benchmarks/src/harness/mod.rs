//! How things are measured: subjects in turn, round by round, and what comes of it as medians and ratios.
//!
//! ```text
//!   round 1:  ours  theirs  another        a ratio is taken within a round, where the machine
//!   round 2:  ours  theirs  another        was about as busy for both, and only then is the
//!   round 3:  ours  theirs  another        median taken over the rounds
//! ```

mod archive;
mod lab;
mod print;
mod report;
mod rounds;
mod sample;

pub use lab::{Lab, Running, Settings, bytes_under};
pub use report::Report;
pub use rounds::run;
pub use sample::{Bound, Sample, Subject, Target};

use anyhow::Result;

/// Who takes part, in their order.
pub type Subjects = Vec<Box<dyn Subject>>;

/// Something that can be measured with one command.
pub struct Benchmark {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// What is to be reached.
    pub targets: Vec<Target>,
    /// Who takes part, with ours first.
    pub subjects: fn(&Settings) -> Result<Subjects>,
}
