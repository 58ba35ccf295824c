//! The guide's job, second version: it counts cancelled flights as well, and by mistake counts them as late, too.

mod job;

use std::process::ExitCode;

use job::{Count, Flight};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Delays {
    flights: u64,
    late: u64,
    /// New. State of the first version does not have it and takes the default, 0.
    #[serde(default)]
    cancelled: u64,
}

impl Count for Delays {
    fn add(&mut self, flight: &Flight, late_after: i32) {
        self.flights += 1;
        self.cancelled += u64::from(flight.dep_delay.is_none());
        // The bug: a flight that never left has no delay.
        self.late += u64::from(flight.dep_delay.is_none_or(|minutes| minutes >= late_after));
    }
}

fn main() -> ExitCode {
    job::main::<Delays>()
}
