//! `millpond snapshots diff`

use std::collections::BTreeMap;

use clap::Args;
use millpond_snapshot::Error;
use millpond_snapshot::repository::{self, SnapshotAddress, SnapshotDiff, StateDiff, StateId};
use millpond_snapshot::state::RowChange;
use serde_json::{Map, Value, json};

use super::place::Place;
use super::words::{count, table};
use super::{positions, rows};
use crate::failure::Failure;
use crate::output::{Waiting, plain, print, print_json};

/// Say what differs between two snapshots, by operator, state and key
///
/// The snapshots may be of different jobs. A state that both share is not read; memory is bounded whatever their size.
#[derive(Args)]
pub(crate) struct Diff {
    /// The snapshot before: JOB@42, JOB@latest, JOB#tag or ./exported-directory
    #[arg(value_name = "A")]
    before: SnapshotAddress,
    /// The snapshot after
    #[arg(value_name = "B")]
    after: SnapshotAddress,
    /// Show rows of each state that differ, up to N of them
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "20")]
    rows: usize,
    #[command(flatten)]
    place: Place,
}

/// A row then and now.
struct Change {
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
}

impl Diff {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let before = self.place.find(&self.before).await?;
        let after = self.place.find(&self.after).await?;
        let waiting = Waiting::new(format!("Comparing {} with {}", before.entry.id(), after.entry.id()));
        let mut changes: BTreeMap<StateId, Vec<Change>> = BTreeMap::new();
        let mut failed = None;
        let diff = repository::diff(&before, &after, |state, change| {
            let wanted = changes.get(state).map_or(0, Vec::len) < self.rows;
            if wanted && failed.is_none() {
                match Change::read(&change) {
                    Ok(change) => changes.entry(state.clone()).or_default().push(change),
                    Err(error) => failed = Some(error),
                }
            }
        });
        let diff = diff.await?;
        drop(waiting);
        if let Some(error) = failed {
            return Err(error.into());
        }
        if self.place.json {
            let mut value = json(&diff, &changes);
            value["before"] = json!(before.entry.id());
            value["after"] = json!(after.entry.id());
            return print_json(&value);
        }
        print(&text(&diff, &changes, self.rows))
    }
}

impl Change {
    fn read(change: &RowChange) -> Result<Self, Error> {
        let read = |row: &Option<millpond_snapshot::RecordBatch>| row.as_ref().map(rows::first).transpose();
        let unreadable = |error| Error::InvalidInput(format!("a row cannot be shown: {error}; leave out --rows"));
        Ok(Change {
            before: read(&change.before).map_err(unreadable)?,
            after: read(&change.after).map_err(unreadable)?,
        })
    }

    /// `+ key: value`, `- key: value` or `~ key: then → now`.
    fn words(&self) -> String {
        let with_unit = |sign: char, row: &Map<String, Value>| match rows::content(row) {
            Some(content) => format!("{sign} {}: {content}", rows::unit(row)),
            None => format!("{sign} {}", rows::unit(row)),
        };
        match (&self.before, &self.after) {
            (None, Some(row)) => with_unit('+', row),
            (Some(row), None) => with_unit('-', row),
            (Some(then), Some(now)) => {
                format!("{} → {}", with_unit('~', then), rows::content(now).unwrap_or_default())
            }
            (None, None) => String::new(),
        }
    }
}

fn text(diff: &SnapshotDiff, changes: &BTreeMap<StateId, Vec<Change>>, shown: usize) -> String {
    let only = |state: &StateId, which: &str| line(state, which, Default::default());
    let mut lines: Vec<[String; 6]> = Vec::new();
    lines.extend(diff.removed.iter().map(|state| only(state, "only in A")));
    lines.extend(diff.added.iter().map(|state| only(state, "only in B")));
    let mut details = Vec::new();
    for (state, found) in &diff.common {
        lines.push(match found {
            StateDiff::Same => line(state, "same", Default::default()),
            StateDiff::Incomparable(why) => line(state, &format!("cannot be compared: {why}"), Default::default()),
            StateDiff::Rows(n) => line(state, "differs", [n.added, n.removed, n.changed, n.same].map(count)),
            StateDiff::Operator { removed, added } => {
                let counts = [added.len() as u64, removed.len() as u64].map(count);
                let [added, removed] = counts;
                line(state, "differs", [added, removed, String::new(), String::new()])
            }
        });
        if let StateDiff::Operator { removed, added } = found {
            let signed = |sign, rows: &[Value]| -> Vec<String> {
                rows.iter().take(shown).map(|row| format!("  {sign} {}", positions::in_words(row))).collect()
            };
            let rows = [signed('-', removed), signed('+', added)].concat();
            details.extend((!rows.is_empty()).then(|| format!("{state}\n{}", rows.join("\n"))));
        }
        if let Some(changes) = changes.get(state) {
            let rows: Vec<_> = changes.iter().map(|change| format!("  {}", change.words())).collect();
            details.push(format!("{state}\n{}", rows.join("\n")));
        }
    }
    let header = ["STATE", "", "ADDED", "REMOVED", "CHANGED", "SAME"];
    let details = details.into_iter().map(|detail| format!("\n\n{}", plain(&detail)));
    table(header, lines, &[2, 3, 4, 5]) + &details.collect::<String>()
}

fn line(state: &StateId, what: &str, [added, removed, changed, same]: [String; 4]) -> [String; 6] {
    [state.to_string(), what.to_owned(), added, removed, changed, same]
}

fn json(diff: &SnapshotDiff, changes: &BTreeMap<StateId, Vec<Change>>) -> Value {
    let id = |state: &StateId| json!({ "operator": state.operator, "state": state.state });
    let mut states: Vec<Value> = Vec::new();
    let mut add = |state: &StateId, outcome: &str, more: Value| {
        let mut value = id(state);
        value["outcome"] = json!(outcome);
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        states.push(value);
    };
    diff.removed.iter().for_each(|state| add(state, "only-before", Value::Null));
    diff.added.iter().for_each(|state| add(state, "only-after", Value::Null));
    for (state, found) in &diff.common {
        let rows = changes.get(state).into_iter().flatten();
        let rows: Vec<_> = rows.map(|row| json!({ "before": row.before, "after": row.after })).collect();
        match found {
            StateDiff::Same => add(state, "same", Value::Null),
            StateDiff::Incomparable(why) => add(state, "incomparable", json!({ "reason": why })),
            StateDiff::Operator { removed, added } => {
                add(state, "differs", json!({ "removed-rows": removed, "added-rows": added }));
            }
            StateDiff::Rows(n) => {
                let counts = json!({
                    "added": n.added, "removed": n.removed, "changed": n.changed, "same": n.same, "rows": rows,
                });
                add(state, "differs", counts);
            }
        }
    }
    json!({ "states": states })
}
