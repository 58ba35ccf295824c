//! What the job should have committed, computed without it: a loop over the rows and two maps.

use std::collections::BTreeMap;

/// Flights, cancelled flights, total delay in minutes.
pub(crate) type Totals = (u64, u64, i64);

/// What the two outputs come to.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    /// By carrier.
    pub(crate) carriers: BTreeMap<String, Totals>,
    /// By origin, begin and end of the hour.
    pub(crate) hourly: BTreeMap<(String, String, String), Totals>,
}

/// Counts all rows of a CSV text.
pub(crate) fn expected(csv: &str) -> Expected {
    let mut carriers = BTreeMap::<_, Totals>::new();
    let mut hourly = BTreeMap::<_, Totals>::new();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header row");
    let column =
        |name: &str| header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("no {name}"));
    let (carrier, origin, delay, hour) =
        (column("carrier"), column("origin"), column("dep_delay"), column("time_hour"));
    for row in lines {
        let (cancelled, minutes) = match row[delay] {
            "NA" => (1, 0),
            minutes => (0, minutes.parse::<i64>().unwrap()),
        };
        // `minute` is less than 60, so the hour of the departure is `time_hour` itself.
        let window = (row[origin].to_owned(), row[hour].to_owned(), next_hour(row[hour]));
        for totals in [carriers.entry(row[carrier].to_owned()).or_default(), hourly.entry(window).or_default()] {
            totals.0 += 1;
            totals.1 += cancelled;
            totals.2 += minutes;
        }
    }
    assert!(!hourly.is_empty(), "an oracle over nothing proves nothing");
    Expected { carriers, hourly }
}

/// One hour after a moment like `2013-01-31T23:00:00Z`, in the months that the data has.
fn next_hour(moment: &str) -> String {
    let number = |from: usize, to: usize| moment[from..to].parse::<u32>().unwrap();
    let (mut month, mut day, mut hour) = (number(5, 7), number(8, 10), number(11, 13) + 1);
    if hour == 24 {
        (hour, day) = (0, day + 1);
    }
    if (month, day) == (1, 32) {
        (month, day) = (2, 1);
    }
    format!("{}-{month:02}-{day:02}T{hour:02}{}", &moment[..4], &moment[13..])
}

/// The header and the first `rows` rows of a CSV text.
pub(crate) fn head(csv: &str, rows: usize) -> String {
    csv.split_inclusive('\n').take(rows + 1).collect()
}
