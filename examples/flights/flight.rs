//! A row of the input, and what the job counts.

use std::time::Duration;

use jiff::Timestamp;
use millpond::EventTime;
use serde::{Deserialize, Serialize};

/// A scheduled departure: the columns that the job needs, by the names that they have in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flight {
    pub(crate) carrier: String,
    pub(crate) origin: String,
    /// In minutes, negative if it left early; `None` if it was cancelled.
    #[serde(with = "or_na")]
    pub(crate) dep_delay: Option<i32>,
    /// The hour of the scheduled departure.
    time_hour: Timestamp,
    /// The minute of the scheduled departure.
    minute: u8,
}

impl Flight {
    /// The scheduled departure.
    pub(crate) fn scheduled(&self) -> EventTime {
        EventTime::from(self.time_hour).saturating_add(Duration::from_secs(60 * u64::from(self.minute)))
    }
}

/// Flights so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) flights: u64,
    /// Of those, the ones that never left.
    pub(crate) cancelled: u64,
    /// The delays of the others, in minutes.
    pub(crate) total_dep_delay: i64,
}

impl Totals {
    /// Counts a flight.
    pub(crate) fn add(&mut self, flight: &Flight) {
        self.flights += 1;
        match flight.dep_delay {
            Some(minutes) => self.total_dep_delay += i64::from(minutes),
            None => self.cancelled += 1,
        }
    }
}

/// A number, or `NA` where there is none.
mod or_na {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(number: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.collect_str(number),
            None => serializer.serialize_str("NA"),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "NA" => Ok(None),
            number => number.parse().map(Some).map_err(|_| {
                de::Error::invalid_value(de::Unexpected::Str(number), &"a whole number of minutes, or NA")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(row: &str) -> Result<Flight, String> {
        let text = format!("carrier,origin,dep_delay,time_hour,minute\n{row}\n");
        let mut rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        rows.next().expect("one row").map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_has_its_delay_and_its_scheduled_departure() {
        let flight = parse("UA,EWR,-4,2013-01-01T10:00:00Z,15").unwrap();
        assert_eq!(flight.dep_delay, Some(-4));
        assert_eq!(flight.scheduled(), "2013-01-01T10:15:00Z".parse().unwrap());
    }

    #[test]
    fn na_is_a_cancelled_flight_and_nothing_else_is() {
        assert_eq!(parse("UA,EWR,NA,2013-01-01T10:00:00Z,0").unwrap().dep_delay, None);
        for delay in ["", "na", "4.5", "4 min"] {
            let error = parse(&format!("UA,EWR,{delay},2013-01-01T10:00:00Z,0")).unwrap_err();
            assert!(error.contains("a whole number of minutes, or NA"), "{error}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_an_error() {
        for (time, minute) in [("2013-01-01", "0"), ("yesterday", "0"), ("2013-01-01T10:00:00Z", "x")] {
            assert!(parse(&format!("UA,EWR,0,{time},{minute}")).is_err(), "{time} {minute}");
        }
    }

    #[test]
    fn a_cancelled_flight_adds_no_delay() {
        let mut totals = Totals::default();
        for delay in ["30", "NA", "-10"] {
            totals.add(&parse(&format!("UA,EWR,{delay},2013-01-01T10:00:00Z,0")).unwrap());
        }
        assert_eq!(totals, Totals { flights: 3, cancelled: 1, total_dep_delay: 20 });
    }
}
