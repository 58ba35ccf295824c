//! How late rows come out.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The width of a step; the Java side has the same.
pub const STEP_MICROS: u64 = 50;

/// Microseconds since 1970, as both sides stamp records.
#[inline]
pub fn now_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// The latency in milliseconds that `share` of the rows do not exceed. Steps count as their end.
pub fn quantile(latencies: &BTreeMap<u64, u64>, share: f64) -> Option<f64> {
    let rows: u64 = latencies.values().sum();
    let rank = (rows as f64 * share).ceil() as u64;
    let mut seen = 0;
    for (step, count) in latencies {
        seen += count;
        if seen >= rank {
            return Some((step + 1) as f64 * STEP_MICROS as f64 / 1000.0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_end_of_the_step_that_reaches_it() {
        let latencies = BTreeMap::from([(0, 98), (19, 1), (199, 1)]);
        assert_eq!(quantile(&latencies, 0.5), Some(0.05));
        assert_eq!(quantile(&latencies, 0.99), Some(1.0));
        assert_eq!(quantile(&latencies, 1.0), Some(10.0));
        assert_eq!(quantile(&BTreeMap::new(), 0.5), None);
    }
}
