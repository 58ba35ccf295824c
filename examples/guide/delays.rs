//! The guide's job, first version: flights and late ones, by carrier.

mod job;

use std::process::ExitCode;

use job::{Count, Flight};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Delays {
    flights: u64,
    late: u64,
}

impl Count for Delays {
    fn add(&mut self, flight: &Flight, late_after: i32) {
        self.flights += 1;
        self.late += u64::from(flight.dep_delay.is_some_and(|minutes| minutes >= late_after));
    }
}

fn main() -> ExitCode {
    job::main::<Delays>()
}
