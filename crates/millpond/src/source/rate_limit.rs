//! Records a second, as a user says it.

/// A limit that was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimit(Option<f64>);

#[derive(Debug, thiserror::Error)]
#[error("the rate of a source cannot be {0}: it must be a number of records a second greater than 0")]
pub(crate) struct BadRate(f64);

impl RateLimit {
    pub(crate) fn new(per_second: Option<f64>) -> Self {
        RateLimit(per_second)
    }

    /// Whether the limit can be kept.
    pub(crate) fn check(self) -> Result<(), BadRate> {
        match self.0 {
            Some(rate) if !is_possible(rate) => Err(BadRate(rate)),
            _ => Ok(()),
        }
    }

    /// The limit, if there is one that can be kept.
    pub(crate) fn per_second(self) -> Option<f64> {
        self.0.filter(|rate| is_possible(*rate))
    }
}

fn is_possible(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}
