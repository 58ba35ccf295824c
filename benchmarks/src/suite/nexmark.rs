//! The queries of Nexmark, as DataStream jobs on both sides.

use anyhow::Result;

use super::subjects::{FlinkJob, Java, Millpond, Peer, options};
use crate::flink::Backend;
use crate::harness::{Benchmark, Bound, Settings, Subject, Target};

/// So many that also the queries that do least run for seconds: a tenth of them would measure how a job starts.
const EVENTS: u64 = 40_000_000;

/// A benchmark for each: its name and what it asks.
macro_rules! queries {
    ($($query:literal: $about:literal),* $(,)?) => {
        vec![$(Benchmark {
            name: concat!("nexmark-", $query),
            about: $about,
            targets: vec![Target::ratio("records_per_second", "millpond", "flink", Bound::AtLeast(8.0))],
            subjects: |settings| subjects(settings, $query),
        }),*]
    };
}

pub(super) fn benchmarks() -> Vec<Benchmark> {
    queries! {
        "q0": "bids as they are",
        "q1": "bids in another currency",
        "q2": "bids on some auctions",
        "q3": "who sells in some states, and what",
        "q4": "the average price of a category",
        "q5": "the auctions with the most bids in the last ten seconds",
        "q7": "the highest bids of each ten seconds",
        "q8": "who came and opened an auction in the same ten seconds",
        "q11": "how many bids somebody made in one go",
        "q12": "how many bids somebody made, by the clock of the machine",
    }
}

fn subjects(settings: &Settings, query: &str) -> Result<Vec<Box<dyn Subject>>> {
    let records = options(&[("records", settings.scaled(EVENTS).to_string())]);
    let work = [options(&[("query", query.to_owned())]), records.clone()].concat();
    let mut subjects: Vec<Box<dyn Subject>> = vec![
        Box::new(Millpond {
            name: "millpond",
            job: [vec!["nexmark".to_owned()], work.clone()].concat(),
            interval: "1s",
        }),
        Box::new(FlinkJob {
            name: "flink",
            backend: Backend::Heap,
            class: "millpond.Nexmark",
            arguments: work,
            interval: 1000,
        }),
    ];
    if query == "q0" {
        // What of it is not the engine's, in either language.
        subjects
            .push(Box::new(Peer { name: "loop", arguments: [vec!["bids".to_owned()], records.clone()].concat() }));
        subjects.push(Box::new(Java { class: "millpond.Bids", arguments: records }));
    }
    Ok(subjects)
}
