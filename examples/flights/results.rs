//! The lines that the job writes, and a look at them at the end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use millpond::windows::WindowResult;
use serde::{Deserialize, Serialize};

use crate::flight::Totals;

/// A line of `carriers/`: what is known of a carrier so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CarrierTotals {
    carrier: String,
    flights: u64,
    cancelled: u64,
    total_dep_delay: i64,
}

impl CarrierTotals {
    pub(crate) fn new((carrier, totals): &(String, Totals)) -> Self {
        let Totals { flights, cancelled, total_dep_delay } = *totals;
        CarrierTotals { carrier: carrier.clone(), flights, cancelled, total_dep_delay }
    }
}

/// A line of `hourly/`: the departures that were scheduled for one hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OriginHour {
    origin: String,
    window_start: String,
    window_end: String,
    flights: u64,
    cancelled: u64,
    total_dep_delay: i64,
}

impl OriginHour {
    pub(crate) fn new(result: &WindowResult<String, Totals>) -> Self {
        let Totals { flights, cancelled, total_dep_delay } = result.value;
        OriginHour {
            origin: result.key.clone(),
            window_start: result.window.start.to_string(),
            window_end: result.window.end.to_string(),
            flights,
            cancelled,
            total_dep_delay,
        }
    }
}

/// Says where the results are, and shows three lines of them.
pub(crate) fn show(output: &Path, mut to: impl Write) -> io::Result<()> {
    writeln!(to, "Results: {}", output.join("{carriers,hourly}").join("part-*.jsonl").display())?;
    let files = [parts(&output.join("hourly"))?, parts(&output.join("carriers"))?].concat();
    let mut left = 3;
    for file in files {
        for line in BufReader::new(File::open(file)?).lines().take(left) {
            writeln!(to, "{}", line?)?;
            left -= 1;
        }
    }
    Ok(())
}

/// The committed files of a folder, oldest first.
fn parts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    Ok(files)
}
