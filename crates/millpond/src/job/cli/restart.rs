//! How a restart strategy is written on the command line.

use std::str::FromStr;

use super::values::{duration, positive_duration};
use crate::runtime::restart::RestartStrategy;

const EXPECTED: &str = "expected none, fixed:ATTEMPTS,DELAY, exponential[:INITIAL,MAX,FACTOR[,RESET[,ATTEMPTS]]] or \
                        rate:FAILURES,INTERVAL,DELAY; for instance fixed:3,1s";

/// Reads a strategy, such as `fixed:3,1s`.
pub(super) fn parse(text: &str) -> Result<RestartStrategy, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let parts: Vec<&str> = if rest.is_empty() { vec![] } else { rest.split(',').map(str::trim).collect() };
    match (kind, parts.as_slice()) {
        ("none", []) => Ok(RestartStrategy::None),
        ("fixed", [attempts, delay]) => {
            Ok(RestartStrategy::FixedDelay { attempts: number(attempts)?, delay: duration(delay)? })
        }
        ("exponential", []) => Ok(RestartStrategy::default()),
        ("exponential", [initial, max, factor, rest @ ..]) if rest.len() <= 2 => {
            exponential(initial, max, factor, rest)
        }
        ("rate", [failures, interval, delay]) => Ok(RestartStrategy::FailureRate {
            failures: number(failures)?,
            interval: positive_duration(interval)?,
            delay: duration(delay)?,
        }),
        _ => Err(EXPECTED.to_owned()),
    }
}

fn exponential(initial: &str, max: &str, factor: &str, rest: &[&str]) -> Result<RestartStrategy, String> {
    let (initial, max) = (positive_duration(initial)?, positive_duration(max)?);
    if initial > max {
        return Err("INITIAL is longer than MAX".to_owned());
    }
    let multiplier: f64 = number(factor)?;
    if !multiplier.is_finite() || multiplier < 1.0 {
        return Err(format!("FACTOR is {factor}: it must be 1 or more"));
    }
    Ok(RestartStrategy::ExponentialDelay {
        initial,
        max,
        multiplier,
        reset_after: rest.first().map_or(Ok(RestartStrategy::RESET_AFTER), |text| duration(text))?,
        attempts: rest.get(1).map(|text| number(text)).transpose()?,
    })
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number that fits here; {EXPECTED}"))
}
