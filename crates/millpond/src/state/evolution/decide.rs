//! What becomes of a state of a snapshot in a program whose types may be others.
//!
//! Pure, so that the plan and each subtask that restores come to the same.

use std::time::Duration;

use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::{SchemaFields, StateSnapshot};
use millpond_snapshot::typed::{self, Shape};
use serde::de::DeserializeOwned;

use super::compare::compare;
use crate::state::descriptor::StateDeclaration;
use crate::time::millis;

/// What a program says about a column of a state, besides the column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    /// What the type takes; as the column has it, if nothing is known.
    pub(crate) shape: Option<Shape>,
    /// Types from which there is a migration, each with its column, in the order in which they were given.
    pub(crate) migrations: Vec<(&'static str, SchemaFields)>,
}

impl Side {
    /// What is known of `T`.
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        Side { shape: Some(typed::shape_of::<T>()), migrations: Vec::new() }
    }
}

/// The columns of a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    pub(crate) key: Side,
    pub(crate) map_key: Side,
    pub(crate) value: Side,
    /// Whether it is known what becomes of two values whose keys have become one.
    pub(crate) merges: bool,
}

/// How a column of the snapshot is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// By field name. So are columns that are as they were.
    #[default]
    ByName,
    /// By field name, value by value: fields that are null and not optional are as if they were not there, and numbers
    /// may be of any width.
    Indirect,
    /// As the old type, and then through the migration with this number.
    Migration(usize),
}

/// How a state of a snapshot is taken up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) key: Reading,
    pub(crate) map_key: Reading,
    pub(crate) value: Reading,
    /// Whether keys may have another hash than in the snapshot.
    pub(crate) moves: bool,
    /// Whether the columns are others, so that old chunks cannot stand beside new ones.
    pub(crate) rewrites: bool,
    /// What changes, in words.
    pub(crate) changes: Vec<String>,
}

/// Decides.
///
/// # Errors
/// What stands in the way, each with the way out.
pub(crate) fn decide(declared: &StateDeclaration, old: &StateSnapshot) -> Result<Outcome, Vec<String>> {
    if declared.kind != old.kind {
        return Err(vec![format!(
            "it was of kind {} and is now of kind {}; give the new state another name",
            old.kind, declared.kind
        )]);
    }
    let mut outcome = Outcome::default();
    let mut refusals = Vec::new();
    let Sides { key, map_key, value, merges } = &declared.sides;
    let columns = [
        ("key", key, &old.key_schema, &declared.key),
        ("map_key", map_key, &old.map_key_schema, &declared.map_key),
        ("value", value, &old.value_schema, &declared.value),
    ];
    for (name, side, old, new) in columns {
        let (Some(old), Some(new)) = (old, new) else { continue };
        if old == new {
            continue;
        }
        outcome.rewrites = true;
        let (reading, moves, joins) = match side.migrations.iter().position(|(_, column)| same_type(column, old)) {
            Some(place) => {
                let from = side.migrations[place].0;
                outcome.changes.push(format!("{name}: by the migration from {from}"));
                (Reading::Migration(place), true, true)
            }
            None => {
                let comparison = compare(name, &shape(old), &side.shape.clone().unwrap_or_else(|| shape(new)));
                refusals.extend(comparison.refusals);
                outcome.changes.extend(comparison.changes);
                // The name of a variant is part of a key, and the list of names does not say which is written.
                let renamed = renamed(old) != renamed(new);
                if renamed {
                    outcome.changes.push(format!("{name}: variants are written under other names than before"));
                }
                let reading = if comparison.indirect { Reading::Indirect } else { Reading::ByName };
                (reading, comparison.moves || renamed, comparison.joins || renamed)
            }
        };
        // Whether there are such keys, only the rows know.
        if name != "value" && joins && !merges && declared.kind != StateKind::Timers {
            outcome.changes.push(format!(
                "{name}: if two rows become one, the start fails: the state says no .merge(|a, b| …)"
            ));
        }
        match name {
            "key" => (outcome.key, outcome.moves) = (reading, moves),
            "map_key" => outcome.map_key = reading,
            _ => outcome.value = reading,
        }
    }
    let empty = old.chunks.is_empty() && old.rows_inline.as_ref().is_none_or(Vec::is_empty);
    if !refusals.is_empty() && !empty {
        return Err(refusals);
    }
    if !refusals.is_empty() {
        outcome.changes = vec!["it has no rows, so that its types may be any".to_owned()];
    }
    outcome.changes.extend(ttl(declared, old));
    outcome.rewrites |= declared.kind.is_keyed() && declared.ttl.is_some() != old.ttl_ms.is_some();
    Ok(outcome)
}

/// The shape of values in a column.
fn shape(schema: &SchemaFields) -> Shape {
    match &schema.fields()[..] {
        [field] => Shape::of_column(field),
        _ => Shape::Unknown,
    }
}

/// The names of variants that keys in a column are not written with, though they are read by them.
fn renamed(schema: &SchemaFields) -> Option<&str> {
    schema.fields().iter().find_map(|field| typed::renamed(field))
}

/// Whether two columns are of one type, whatever they are called.
fn same_type(one: &SchemaFields, other: &SchemaFields) -> bool {
    let types = |schema: &SchemaFields| {
        let field = |field: &arrow_schema::FieldRef| (field.data_type().clone(), field.is_nullable());
        schema.fields().iter().map(field).collect::<Vec<_>>()
    };
    types(one) == types(other) && shape(one) == shape(other)
}

/// What becomes of the time to live of the entries that are there.
fn ttl(declared: &StateDeclaration, old: &StateSnapshot) -> Option<String> {
    if !declared.kind.is_keyed() || declared.kind == StateKind::Timers {
        return None;
    }
    let new = declared.ttl.map(|ttl| millis(ttl.duration).unsigned_abs());
    let shown = |ms: u64| humantime::format_duration(Duration::from_millis(ms));
    match (old.ttl_ms, new) {
        (Some(old), Some(new)) if old != new => Some(format!(
            "ttl: {} → {}; an entry keeps its expiry until it is written again",
            shown(old),
            shown(new)
        )),
        (None, Some(new)) => {
            Some(format!("ttl: none → {}; entries that are there live so long from now", shown(new)))
        }
        (Some(old), None) => {
            Some(format!("ttl: {} → none; entries that have not expired by now stay for good", shown(old)))
        }
        _ => None,
    }
}
