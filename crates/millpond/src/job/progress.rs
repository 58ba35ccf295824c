//! One line on a terminal that says how the run gets on.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::control::view::{JobStatus, JobView, Outcome};

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(250);

/// The rate is that of this many newest ticks.
const RATE_TICKS: usize = 12;

/// Shows the line on standard error until the run has ended or its view is published no more, and clears it.
/// Returns at once if `quiet`, or if standard error is not a terminal.
pub(crate) async fn show(mut view: watch::Receiver<Arc<JobView>>, quiet: bool) {
    if quiet || !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    let mut rate = Rate::default();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Arc::clone(&view.borrow_and_update());
        let per_second = rate.sample(Instant::now(), now.records_read);
        bar.set_message(line(&now, per_second, Timestamp::now()));
        bar.tick();
        if now.ended.is_some() || view.has_changed().is_err() {
            break;
        }
    }
    bar.finish_and_clear();
}

/// Records per second over the newest ticks.
#[derive(Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    fn sample(&mut self, now: Instant, records: u64) -> Option<f64> {
        // After a restart sources are set back.
        if self.0.back().is_some_and(|(_, before)| *before > records) {
            self.0.clear();
        }
        self.0.push_back((now, records));
        if self.0.len() > RATE_TICKS {
            self.0.pop_front();
        }
        let (since, before) = *self.0.front()?;
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        (seconds > 0.0).then(|| records.saturating_sub(before) as f64 / seconds)
    }
}

fn line(view: &JobView, rate: Option<f64>, now: Timestamp) -> String {
    let mut parts = vec![format!("{} {}", view.name, status(view.status))];
    parts.push(match rate {
        Some(rate) => format!("{} records, {}/s", HumanCount(view.records_read), HumanCount(rate as u64)),
        None => format!("{} records", HumanCount(view.records_read)),
    });
    let newest = view.snapshots.iter().find_map(|snapshot| match &snapshot.outcome {
        Outcome::Completed(id) => Some((snapshot, id)),
        _ => None,
    });
    if let Some((snapshot, id)) = newest {
        let age = now.duration_since(snapshot.triggered).as_secs().max(0);
        parts.push(format!(
            "snapshot {id} {age} s ago ({}, {} new)",
            HumanBytes(snapshot.bytes_total),
            HumanBytes(snapshot.bytes_new)
        ));
    }
    for (count, one, many) in [
        (view.restarts as u64, "restart", "restarts"),
        (view.counts.failed, "failed snapshot", "failed snapshots"),
    ] {
        match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        }
    }
    parts.join(" · ")
}

fn status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Initializing => "is starting",
        JobStatus::Running => "is running",
        JobStatus::Restarting => "has failed and starts again",
        JobStatus::Suspending => "is stopping with a savepoint",
        JobStatus::Cancelled => "is cancelled",
        JobStatus::Finished => "has finished",
        JobStatus::Failed => "has failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::fixture;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_safe() {
        let mut view = fixture::running("flights");
        view.records_read = 1_234_567;
        view.restarts = 2;
        view.snapshots = vec![fixture::failed(9), fixture::completed(8, 42)];
        let now = view.snapshots[1].triggered + Duration::from_secs(3);
        let text = line(&view, Some(1000.4), now);
        assert_eq!(
            text,
            "flights is running · 1,234,567 records, 1,000/s · snapshot flights@42 3 s ago (2.00 KiB, 1.00 KiB new) · \
             2 restarts"
        );
    }

    #[test]
    fn the_line_of_a_new_run_is_short() {
        assert_eq!(line(&fixture::running("a"), None, Timestamp::UNIX_EPOCH), "a is running · 0 records");
    }

    #[test]
    fn the_rate_is_that_of_the_newest_ticks_and_begins_anew_after_a_restart() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut rate = Rate::default();
        assert_eq!(rate.sample(start, 5), None);
        assert_eq!(rate.sample(start + second, 15), Some(10.0));
        for n in 0..20 {
            rate.sample(start + second * (2 + n), 15);
        }
        assert_eq!(rate.sample(start + second * 30, 15), Some(0.0));
        assert_eq!(rate.sample(start + second * 31, 0), None);
    }
}
